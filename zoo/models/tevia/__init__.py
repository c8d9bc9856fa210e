"""TeViA: text-to-vision alignment with a momentum visual prototype."""
