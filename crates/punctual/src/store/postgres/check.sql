select current_setting('server_version'), current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
  current_setting('synchronous_commit'), pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on',
  (extract(epoch from statement_timestamp()) * 1000000)::bigint
