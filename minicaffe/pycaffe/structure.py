"""What a caffe.Net is made of: layers, parameters and blobs as Python code for Caffe sees them."""

from __future__ import annotations

from collections import OrderedDict

from ..layers.user.python import Python
from ..net import Net as EngineNet
from .layer import BuiltIn, Layer
from .modes import SharedDevice
from .view import BlobView, ParamView, ParamViews


class Structure:
    """The layers, parameters and blobs of a net, by name and by index: everything of caffe.Net that runs
    nothing and changes nothing.  `_layer_names`, `_blobs`, `_inputs` and the like are there because code for
    Caffe uses them: they are what its compiled half offers."""

    def _make_views(self, net: EngineNet, shared: SharedDevice) -> None:
        """Make the views of a net's layers and blobs; called once, before anything else."""
        self._net = net
        views: dict[int, BlobView] = {}  # by id of the engine's blob

        def view(blob, kind: type[BlobView] = BlobView) -> BlobView:
            return views.setdefault(id(blob), kind(blob, net.device, shared.copied))

        self._layers: list[Layer] = []
        for layer in net.layers:
            if isinstance(layer, Python):  # the user's own object
                layer.around = shared.looking
                for blob, own in zip(layer.params, layer.views_of_params):
                    own.copied = shared.copied
                    views[id(blob)] = own
                self._layers.append(layer.user)
            else:
                self._layers.append(BuiltIn(layer, [view(blob, ParamView) for blob in layer.params]))
        by_index = {
            index: view(blob)
            for node, tops in zip(net.graph.nodes, net.tops)
            for index, blob in zip(node.tops, tops)
        }
        self._views = [by_index[index] for index in range(len(by_index))]
        self._blobs_by_name = OrderedDict(zip(net.graph.blob_names, self._views))

    @property
    def blobs(self) -> OrderedDict[str, BlobView]:
        """All blobs by name, those of splits among them, in the order in which they come about."""
        return self._blobs_by_name

    @property
    def params(self) -> OrderedDict[str, ParamViews]:
        """The parameters of every layer that has any, by its name."""
        return OrderedDict((name, layer.blobs) for name, layer in self.layer_dict.items() if len(layer.blobs))

    @property
    def layers(self) -> list[Layer]:
        """In execution order; a Python layer is the user's own object."""
        return self._layers

    @property
    def layer_dict(self) -> OrderedDict[str, Layer]:
        return OrderedDict(zip(self._layer_names, self._layers))

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """By name of the blob: what it counts in the loss, 0 for most."""
        return OrderedDict(zip(self._blob_names, self._blob_loss_weights))

    @property
    def top_names(self) -> OrderedDict[str, list[str]]:
        return self._names_by_layer("tops")

    @property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        return self._names_by_layer("bottoms")

    def _names_by_layer(self, kind: str) -> OrderedDict[str, list[str]]:
        nodes = self._net.graph.nodes
        return OrderedDict(
            (name, [self._blob_names[index] for index in getattr(node, kind)])
            for name, node in zip(self._layer_names, nodes)
        )

    @property
    def inputs(self) -> list[str]:
        """The tops of Input layers."""
        return self._net.inputs

    @property
    def outputs(self) -> list[str]:
        """The blobs that no layer reads, by name."""
        return self._net.outputs

    @property
    def _layer_names(self) -> list[str]:
        return [layer.name for layer in self._net.layers]

    @property
    def _blob_names(self) -> list[str]:
        return list(self._net.graph.blob_names)

    @property
    def _blobs(self) -> list[BlobView]:
        return self._views

    @property
    def _blob_loss_weights(self) -> list[float]:
        weights = [0.0] * len(self._views)
        for node, factors in zip(self._net.graph.nodes, self._net.loss_weights):
            for top, factor in zip(node.tops, factors):
                weights[top] = factor or weights[top]
        return weights

    @property
    def _inputs(self) -> list[int]:
        return list(self._net.graph.inputs)

    @property
    def _outputs(self) -> list[int]:
        return list(self._net.graph.outputs)

    def _top_ids(self, layer: int) -> list[int]:
        return list(self._net.graph.nodes[layer].tops)

    def _bottom_ids(self, layer: int) -> list[int]:
        return list(self._net.graph.nodes[layer].bottoms)
