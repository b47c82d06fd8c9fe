"""What people watch: the Streamlit shell, what its pages share, and the pages that belong to no domain."""
