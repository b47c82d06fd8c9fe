"""What people do on a site, and what they change in the wikis: the pipeline `activity` and its feeds."""
