"""InnerProduct."""

from ..support.laws import Case

IP = 'type: "InnerProduct" inner_product_param {{ {} }}'

CASES = [
    Case(IP.format("num_output: 4"), ((3, 2, 3),)),
    Case(IP.format("num_output: 35 transpose: true"), ((6, 7),)),
    Case(IP.format("num_output: 3 axis: 2 bias_term: false"), ((2, 3, 4),)),
]
