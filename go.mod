module github.com/onus-ledger/onus

go 1.26.0

require (
	connectrpc.com/connect v1.21.1
	golang.org/x/mod v0.42.0
	google.golang.org/protobuf v1.36.12
)

require github.com/transparency-dev/merkle v0.0.2 // indirect

tool (
	connectrpc.com/connect/cmd/protoc-gen-connect-go
	google.golang.org/protobuf/cmd/protoc-gen-go
)
