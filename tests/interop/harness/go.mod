module lesd.test/harness

go 1.21
