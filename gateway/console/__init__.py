"""The console: pages for operators at /console, rendered here and without a build step."""
