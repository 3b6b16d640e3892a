"""install(): `import caffe` means minicaffe, as a program written for Caffe needs it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from ..support.running import ROOT


def program(text: str, cwd) -> str:
    """What a Python program prints in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_way_of_importing(tmp_path):
    printed = program(
        """
        import minicaffe.pycaffe
        minicaffe.pycaffe.install()

        import caffe
        import caffe.io
        import caffe.draw
        import caffe.net_spec
        import caffe.coord_map as coord_map
        import caffe.proto.caffe_pb2 as by_path
        from caffe import layers as L, params as P, to_proto, NetSpec
        from caffe import Classifier, Detector, Net, SGDSolver, get_solver, Layer, TRAIN, TEST
        from caffe.proto import caffe_pb2
        from caffe.coord_map import crop
        from caffe.pycaffe import Net as same_net

        assert caffe is minicaffe.pycaffe
        assert caffe.io is minicaffe.pycaffe.io and caffe.io.Transformer
        assert coord_map.crop is crop and by_path is caffe_pb2 and caffe_pb2.NetParameter
        assert caffe.Net is Net is same_net is minicaffe.pycaffe.Net
        assert (caffe.TRAIN, caffe.TEST, caffe.__version__) == (TRAIN, TEST, "1.0.0") == (0, 1, "1.0.0")
        print("ok")
        """,
        tmp_path,
    )
    assert printed == "ok\n"


def test_a_whole_program(tmp_path):
    (tmp_path / "times.py").write_text(
        textwrap.dedent(
            """
            import caffe
            class Times(caffe.Layer):
                def setup(self, bottom, top): self.factor = float(self.param_str)
                def reshape(self, bottom, top): top[0].reshape(*bottom[0].data.shape)
                def forward(self, bottom, top): top[0].data[...] = self.factor * bottom[0].data
                def backward(self, top, down, bottom): bottom[0].diff[...] = self.factor * top[0].diff
            """
        )
    )
    printed = program(
        """
        import sys
        import numpy as np
        import minicaffe.pycaffe
        minicaffe.pycaffe.install()
        sys.path.insert(0, ".")

        import caffe
        from caffe import layers as L, params as P
        from caffe.proto import caffe_pb2
        from google.protobuf import text_format

        caffe.set_mode_cpu()
        n = caffe.NetSpec()
        n.data = L.Input(input_param=dict(shape=dict(dim=[2, 1, 4, 4])))
        n.pool = L.Pooling(n.data, kernel_size=2, stride=2, pool=P.Pooling.MAX)
        n.times = L.Python(n.pool, module="times", layer="Times", param_str="10")
        with open("net.prototxt", "w") as f:
            f.write(str(n.to_proto()))
        param = caffe_pb2.NetParameter()
        with open("net.prototxt") as f:
            text_format.Merge(f.read(), param)
        assert [layer.type for layer in param.layer] == ["Input", "Pooling", "Python"]
        net = caffe.Net("net.prototxt", caffe.TEST)
        net.blobs["data"].data[...] = np.arange(32).reshape(2, 1, 4, 4)
        out = net.forward()
        print(out["times"][:, 0].astype(int).tolist())
        print(sorted(name for name in sys.modules if name.startswith("caffe"))[0])
        """,
        tmp_path,
    )
    assert printed == "[[[50, 70], [130, 150]], [[210, 230], [290, 310]]]\ncaffe\n"


def test_a_caffe_of_the_user_stays_without_install(tmp_path):
    (tmp_path / "caffe.py").write_text("print('mine')")
    assert program("import minicaffe.pycaffe, caffe", tmp_path) == "mine\n"
