"""The rig: real sendmail, S3 servers and a stand-in for SES; demo, tests, benchmarks and chaos share it."""
