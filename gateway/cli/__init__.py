"""The crm-gateway program."""
