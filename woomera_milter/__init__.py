"""SES Woomera: keeps mail that is over the relay's size limit from being lost."""
