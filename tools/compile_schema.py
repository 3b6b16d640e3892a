"""Compile minicaffe/proto/caffe.proto into the descriptor that the package loads (needs grpcio-tools)."""

from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent.parent / "minicaffe" / "proto"


def compile_schema(output: Path) -> None:
    """Write the serialized FileDescriptorSet of caffe.proto to `output`."""
    status = protoc.main(["protoc", f"-I{PROTO}", f"--descriptor_set_out={output}", "caffe.proto"])
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    compile_schema(PROTO / "caffe.desc")
