"""What recipients get: the notice and the page. Pure: facts, links and times come in as values."""
