"""Every function that an expression may call, by its name and signature.

All of JSONata's are here but ``$eval``, which AWS does not have: for it there is ``$parse``.
"""

from __future__ import annotations

from typing import Final

from gateway.asl.jsonata import collections, number_pictures, numbers, stepfunctions, strings, times
from gateway.asl.jsonata.functions import Native

_JSONATA: Final = (
    Native("string", "<x-b?:s>", strings.string, arity=1),
    Native("length", "<s-:n>", strings.length),
    Native("substring", "<s-nn?:s>", strings.substring),
    Native("substringBefore", "<s-s:s>", strings.substring_before),
    Native("substringAfter", "<s-s:s>", strings.substring_after),
    Native("uppercase", "<s-:s>", strings.uppercase),
    Native("lowercase", "<s-:s>", strings.lowercase),
    Native("trim", "<s-:s>", strings.trim),
    Native("pad", "<s-ns?:s>", strings.pad),
    Native("contains", "<s-(sf):b>", strings.contains),
    Native("split", "<s-(sf)n?:a<s>>", strings.split),
    Native("join", "<a<s>s?:s>", strings.join),
    Native("match", "<s-f<s:o>n?:a<o>>", strings.match),
    Native("replace", "<s-(sf)(sf)n?:s>", strings.replace),
    Native("base64encode", "<s-:s>", strings.base64_encode),
    Native("base64decode", "<s-:s>", strings.base64_decode),
    Native("encodeUrlComponent", "<s-:s>", strings.encode_url_component),
    Native("encodeUrl", "<s-:s>", strings.encode_url),
    Native("decodeUrlComponent", "<s-:s>", strings.decode_url_component),
    Native("decodeUrl", "<s-:s>", strings.decode_url),
    Native("number", "<(nsb)-:n>", numbers.number),
    Native("abs", "<n-:n>", numbers.absolute),
    Native("floor", "<n-:n>", numbers.floor),
    Native("ceil", "<n-:n>", numbers.ceil),
    Native("round", "<n-n?:n>", numbers.rounded),
    Native("power", "<n-n:n>", numbers.power),
    Native("sqrt", "<n-:n>", numbers.square_root),
    Native("formatNumber", "<n-so?:s>", number_pictures.format_number),
    Native("formatBase", "<n-n?:s>", numbers.format_base),
    Native("formatInteger", "<n-s:s>", numbers.format_integer),
    Native("parseInteger", "<s-s:n>", numbers.parse_integer),
    Native("sum", "<a<n>:n>", numbers.total),
    Native("max", "<a<n>:n>", numbers.largest),
    Native("min", "<a<n>:n>", numbers.smallest),
    Native("average", "<a<n>:n>", numbers.average),
    Native("boolean", "<x-:b>", collections.boolean),
    Native("not", "<x-:b>", collections.negation),
    Native("exists", "<x:b>", collections.exists),
    Native("count", "<a:n>", collections.count),
    Native("append", "<xx:a>", collections.append),
    Native("sort", "<af?:a>", collections.sort),
    Native("reverse", "<a:a>", collections.reverse),
    Native("shuffle", "<a:a>", collections.shuffle),
    Native("distinct", "<x:x>", collections.distinct),
    Native("zip", "<a+>", collections.zipped),
    Native("keys", "<x-:a<s>>", collections.keys),
    Native("lookup", "<x-s:x>", collections.lookup),
    Native("spread", "<x-:a<o>>", collections.spread),
    Native("merge", "<a<o>:o>", collections.merge),
    Native("sift", "<o-f?:o>", collections.sift),
    Native("each", "<o-f:a>", collections.each),
    Native("clone", "<(oa)-:o>", collections.clone),
    Native("error", "<s?:x>", collections.error),
    Native("assert", "<bs?:x>", collections.assertion),
    Native("type", "<x:s>", collections.kind),
    Native("map", "<af>", collections.mapped),
    Native("filter", "<af>", collections.filtered),
    Native("single", "<af?>", collections.single),
    Native("reduce", "<afj?:j>", collections.reduced),
    Native("now", "<s?s?:s>", times.now),
    Native("millis", "<:n>", times.millis),
    Native("fromMillis", "<n-s?s?:s>", times.from_millis),
    Native("toMillis", "<s-s?:n>", times.to_millis),
)
_STEP_FUNCTIONS: Final = (
    Native("partition", "<an:a<a>>", stepfunctions.partition),
    Native("range", "<nnn:a<n>>", stepfunctions.numbers),
    Native("hash", "<s-s:s>", stepfunctions.digest),
    Native("random", "<n?:n>", stepfunctions.random),
    Native("uuid", "<:s>", stepfunctions.uuid),
    Native("parse", "<s-:x>", stepfunctions.parse),
)

FUNCTIONS: Final = {each.name: each for each in (*_JSONATA, *_STEP_FUNCTIONS)}
"""Name without ``$`` to function."""
