select coalesce(max(version), 0) from punctual.punctual_schema
