-- How often the row of checks was written.
select rev from punctual.records where kind = 'check' and name = 'write'
