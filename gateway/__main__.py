"""`python -m gateway` is the program `crm-gateway`."""

from gateway.cli.program import main

main(prog_name="crm-gateway")
