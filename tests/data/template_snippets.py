"""Small templates, each for one thing that jinja2 does in its own way and that chat templates use or could.

make_text_vectors.py renders them through jinja2 as transformers sets it up; tests/text/chat_template_test.cpp
expects the same. They see the conversation MESSAGES and TOOLS below.
"""

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "  What's the \"weather\" in Köln? 🦀\n"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call12345", "type": "function", "function": {
            "name": "get_weather",
            "arguments": {"city": "Köln", "days": 2, "exact": True, "t": 1.50, "no": None, "items": [1, "x"]}}}]},
    {"role": "tool", "content": "{\"t\": 20}", "tool_call_id": "call12345", "name": "get_weather"},
    {"role": "assistant", "content": "Mild.", "reasoning_content": "It's 20."},
    {"role": "user", "content": [{"type": "text", "text": "Thanks"}, {"type": "image"}]},
]
TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "It's the weather.",
        "parameters": {"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "enum": ["Köln", "東京"]},
            "days": {"type": "integer", "default": 3},
            "items": {"type": "array", "items": {"type": "string"}}}}}},
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {}}},
]

SNIPPETS = r"""
# printing
{{ 1 }} {{ -1 }} {{ 1.0 }} {{ 1.5e3 }} {{ 1e16 }} {{ 1e15 }} {{ 1e-5 }} {{ 1e-4 }} {{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 1e100 }}
{{ true }} {{ True }} {{ false }} {{ none }} {{ None }} {{ nothing }}
{{ [1, 'a', "it's", 'q"q', "b'o\"th", none, true, 1.0] }}
{{ {'a': 1, "b": [2, {"c": none}]} }}
{{ (1, 2) }} {{ (1,) }} {{ () }} {{ [] }} {{ {} }}
{{ ["tab\t", "nl\n", "cr\r", "nul\0", "\x7f", "é", "日", "\xa0", "\u200b", "\u2028", "🦀", "back\\slash"] }}
{{ ["\x1b", "\u00ad", "\ue000", "\ufeff", "\u0301", "\U000e0001", "\u0378", "ß"] }}
{{ messages[0] }}
{{ messages[2] }}
{{ messages[2].tool_calls[0].function.arguments }}
{{ tools }}
{{ messages[0].items() | list }} {{ messages[0].keys() | list }} {{ messages[0].values() | list }}
{{ "a" ~ 1 ~ 2.0 ~ none ~ true ~ [1, 'x'] ~ {"k": 1} ~ nothing }}
{{ [1.0, 1e20, 1e-7, -0.0, 100000.0, 123456789012345678] }}
{{ 12345678901234567890 }} {{ 9223372036854775807 }} {{ 9223372036854775808 }} {{ -9223372036854775808 }}
{{ "%s %d %5.2f %05d %x %%" | format("a", 3, 2.5, 42, 255) }}
{{ "%s-%s" | format([1], {"a": none}) }}
{{ "{} and {}".format(1, "b") }} {{ "{0}{1}{0}".format("a", "b") }} {{ "{x}".format(x=5) }} {{ "{:>5}|{:<5}|{:^5}|{:05.1f}".format(1, 2, 3, 4.25) }}

# arithmetic
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7.5 // 2 }} {{ -7.5 // 2 }}
{{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }}
{{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 3 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}
{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 10 - 3 - 2 }} {{ 100 // 7 // 2 }} {{ 2 * 3 % 4 }}
{{ 1 // 0 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ true + 1 }} {{ true * 3 }} {{ 1 == true }} {{ 0 == false }} {{ 1 == 1.0 }} {{ "1" == 1 }}
{{ 9223372036854775807 + 1 }} {{ 4611686018427387904 * 4 }}
{{ 1_000 + 0x1f + 0b11 + 0o17 }} {{ 1_0.5 }} {{ 1E3 }} {{ 2e-2 }}
{{ -messages | length }}
{{ - -3 }} {{ -3 | abs }} {{ -(3) }}
{{ "ab" * 3 }} {{ 3 * "ab" }} {{ [0] * 3 }} {{ "ab" * 0 }}|{{ "ab" * -1 }}|
{{ "a" + "b" }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ "a" + 1 }}
{{ "a" + none }}
{{ "a" + nothing }}
{{ nothing + 1 }}
{{ none + "a" }}
{{ [1] + "a" }}
{{ {} + {} }}

# comparison and logic
{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 < 3 > 2 }} {{ 1 == 1 != 2 }} {{ 1 in [1] == true }}
{{ "a" < "b" }} {{ "B" < "a" }} {{ [1, 2] < [1, 3] }} {{ (1, 2) == (1, 2) }} {{ [1] == (1,) }} {{ "10" < "9" }}
{{ none == nothing }} {{ nothing == nothing2 }} {{ none == none }} {{ nothing == "" }} {{ none == false }}
{{ {"a": 1, "b": 2} == {"b": 2, "a": 1} }} {{ [] == [] }} {{ messages == [] }} {{ messages[0] == messages[0] }}
{{ "" or "x" }} {{ "a" and "b" }} {{ 0 or none }} {{ [] and 1 }} {{ nothing or "d" }} {{ none or false }} {{ 1 and 2 or 3 }}
{{ not 1 }} {{ not "" }} {{ not nothing }} {{ not [] }} {{ not {} }} {{ not 0.0 }} {{ not "0" }}
{{ not 1 == 2 }} {{ not nothing is defined }} {{ not 1 in [2] }} {{ 1 not in [2] }} {{ not true and false }} {{ true or false and false }}
{{ "b" in "abc" }} {{ "role" in messages[0] }} {{ "x" not in messages[0] }} {{ 1 in (1, 2) }} {{ "" in "abc" }} {{ none in [none] }} {{ 1.0 in [1] }}
{{ "a" in none }}
{{ "a" in nothing }}
{{ 1 in 5 }}
{{ "yes" if 1 }}|{{ "yes" if 0 }}|{{ "y" if 0 else "n" }}|{{ "a" if false else "b" if true else "c" }}
{{ (1 if false) is defined }} {{ [1 if false] }}
{{ "x" if nothing is defined and nothing.a.b else "y" }}

# tests
{{ nothing is defined }} {{ messages is defined }} {{ messages[0].role is defined }} {{ messages[0].zip is defined }} {{ messages[99] is defined }} {{ messages[0]["zip"] is defined }} {{ none is defined }}
{{ nothing.a is defined }}
{{ messages[0].a.b is defined }}
{{ nothing is none }} {{ none is none }} {{ messages[2].content is none }} {{ messages[0].zip is none }} {{ 1 is not none }}
{{ nothing is undefined }} {{ none is undefined }} {{ messages[0].content is not undefined }}
{{ 1 is number }} {{ 1.5 is number }} {{ true is number }} {{ "1" is number }} {{ none is number }}
{{ 1 is integer }} {{ true is integer }} {{ 1.0 is integer }} {{ 1.0 is float }} {{ 1 is float }} {{ true is boolean }} {{ 1 is boolean }}
{{ "a" is string }} {{ 1 is string }} {{ none is string }} {{ nothing is string }} {{ [] is string }}
{{ {} is mapping }} {{ [] is mapping }} {{ messages[0] is mapping }} {{ "x" is mapping }} {{ none is mapping }} {{ nothing is mapping }}
{{ [] is sequence }} {{ () is sequence }} {{ "" is sequence }} {{ {} is sequence }} {{ 1 is sequence }} {{ none is sequence }} {{ nothing is sequence }}
{{ [] is iterable }} {{ () is iterable }} {{ "" is iterable }} {{ {} is iterable }} {{ 1 is iterable }} {{ none is iterable }} {{ nothing is iterable }} {{ {}.items() is iterable }} {{ true is iterable }}
{{ 3 is odd }} {{ 3 is even }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ -3 is odd }}
{{ 1 is eq 1 }} {{ 1 is equalto 2 }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 1 is le 1 }} {{ 2 is gt 1 }} {{ 2 is ge 3 }} {{ 2 is greaterthan 1 }} {{ 2 is lessthan(1) }} {{ 1 is sameas 1 }} {{ true is sameas true }} {{ 1 is sameas true }} {{ none is sameas none }}
{{ 1 is in [1, 2] }} {{ "a" is in "abc" }} {{ 3 is not in [1] }} {{ 1 is true }} {{ true is true }} {{ false is false }} {{ 0 is false }} {{ nothing is false }} {{ none is false }}
{{ "abc" is lower }} {{ "ABC" is upper }} {{ "aBc" is lower }} {{ "12" is lower }} {{ "" is upper }}
{{ range is callable }} {{ 1 is callable }} {{ raise_exception is defined }} {{ strftime_now is callable }} {{ messages is callable }}
{{ "upper" is filter }} {{ "nope" is filter }} {{ "defined" is test }} {{ "nope" is test }}
{{ messages[0].content is string and messages[0].role is eq("system") }}
{{ "a" is escaped }}

# attributes, items and slices
{{ messages[0].role }} {{ messages[0]["role"] }} {{ messages.0.role }} {{ messages[-1].role }} {{ messages | length }}
{{ messages[0].zip }}|{{ messages[99] }}|{{ messages[0]["zip"] }}|{{ messages[-99] }}|{{ messages.role }}|{{ "abc"[9] }}|{{ none.x }}|{{ 1 .x }}
{{ messages[0].a.b }}
{{ messages[99].role }}
{{ nothing.a }}
{{ nothing["a"] }}
{{ nothing() }}
{{ none() }}
{{ messages[0].nope() }}
{{ "abc".nope() }}
{{ messages[1:3] | length }} {{ messages[:2] | map(attribute="role") | join }} {{ messages[-2:] | length }} {{ messages[:-1] | length }} {{ messages[::2] | length }} {{ messages[::-1][0].role }} {{ messages[5:1:-2] | length }} {{ messages[3:1] | length }} {{ messages[9:] | length }} {{ messages[-99:2] | length }}
{{ "Köln🦀"[1:3] }} {{ "Köln🦀"[-1] }} {{ "Köln🦀"[::-1] }} {{ "abc"[:-1] }} {{ "abc"[1] }} {{ "abcdef"[4:0:-2] }} {{ "abc"[5:] }}|{{ (1, 2, 3)[1:] }} {{ [1, 2, 3][-2] }}
{{ [1, 2, 3][::0] }}
{{ messages["role"] }}|{{ messages[none] }}|{{ {1: "a"}[1] }} {{ {1: "a"}[1.0] }} {{ {true: "t"}[1] }} {{ {(1, 2): "t"}[(1, 2)] }}
{{ [1, 2][true] }}
{{ messages[2].tool_calls[0].function.arguments.items() | list }}
{{ tools[0].function.parameters.properties.items() | length }} {{ tools[0].function.parameters.properties["items"].type }}
{{ messages[0].get("role") }} {{ messages[0].get("zip") }} {{ messages[0].get("zip", "d") }} {{ messages[2].get("content", "d") }} {{ {}.get("a") is none }}
{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}{% for k in messages[0] %}{{ k }},{% endfor %}{% for k in messages[0].keys() %}{{ k }}.{% endfor %}{% for v in messages[0].values() %}{{ v }}!{% endfor %}
{% for k, v in messages[0] | items %}{{ k }}={{ v }};{% endfor %}{% for k, v in messages[0] | dictsort %}{{ k }};{% endfor %}
{{ messages[0].copy() }} {{ [1, 2].copy() }} {{ [1, 2].index(2) }} {{ [1, 1].count(1) }} {{ (1, 1).count(1) }} {{ (1, 2).index(2) }}
{{ [1].append(2) }}
{{ {}.update({"a": 1}) }}
{{ {"a": 1}.pop("a") }}
{{ [2, 1].sort() }}
{{ "abc".__class__ }}
{{ dict(a=1, b=2) }} {{ dict({"x": 1}, y=2) }} {{ dict() }}

# strings
{{ "  x ".strip() }}|{{ "xxaxx".strip("x") }}|{{ "  x ".lstrip() }}|{{ "  x ".rstrip() }}|{{ "xyaxy".strip("yx") }}|{{ "\x1cx\x1f\x85\xa0\u3000".strip() }}|{{ "\u200bx".strip() | length }}|{{ " x ".strip(none) }}|
{{ "a,b,,c".split(",") }} {{ " a  b ".split() }} {{ "a b c".split(" ", 1) }} {{ "a b c".split(maxsplit=1) }} {{ "a--b".split("--") }} {{ "".split() }} {{ "".split(",") }} {{ "a\x1cb\x85c\xa0d".split() }} {{ " a  b ".split(none, 1) }}
{{ "a,b,c".rsplit(",", 1) }} {{ "a b  c".rsplit() }} {{ "a b  c".rsplit(none, 1) }} {{ "a,b,c".rsplit(",", maxsplit=1) }}
{{ "a=b=c".partition("=") }} {{ "a=b=c".rpartition("=") }} {{ "abc".partition("=") }} {{ "abc".rpartition("=") }}
{{ "".split("") }}
{{ "abc".startswith("a") }} {{ "abc".startswith(("x", "a")) }} {{ "abc".endswith("bc") }} {{ "abc".startswith("b", 1) }} {{ "abc".endswith("b", 0, 2) }} {{ "abc".startswith("") }}
{{ "abc".startswith(none) }}
{{ "aXbX".replace("X", "-") }} {{ "aXbX".replace("X", "-", 1) }} {{ "abc".replace("", "-") }} {{ "aXbX" | replace("X", "y") }} {{ "aXbX" | replace("X", "y", 1) }} {{ 121 | replace("1", "x") }}
{{ "abcabc".find("c") }} {{ "abcabc".rfind("c") }} {{ "abc".find("z") }} {{ "äöü".find("ü") }} {{ "abcabc".index("b") }} {{ "abcabc".find("c", 3) }} {{ "aaa".count("a") }} {{ "aaa".count("aa") }} {{ "aaa".count("") }}
{{ "abc".index("z") }}
{{ "hello wORLD it's o'neil 3rd".title() }} {{ "hello wORLD it's".capitalize() }} {{ "hello wORLD it's o'neil-x 3rd" | title }} {{ "hELLO" | capitalize }} {{ "ǆx ßx ŉ" | title }} {{ "ßx".capitalize() }} {{ "" | title }}
{{ "Straße İI".upper() }} {{ "ΑΣ ΣΑΣ İI".lower() }} {{ "Straße" | upper }} {{ "ÀÉ" | lower }}
{{ "12".isdigit() }} {{ "1a".isdigit() }} {{ "".isdigit() }} {{ "²".isdigit() }} {{ "½".isnumeric() }} {{ "٣".isdigit() }}
{{ "ab".isalpha() }} {{ "a1".isalnum() }} {{ "a b".isalnum() }} {{ " \t".isspace() }} {{ "".isspace() }} {{ "ab".islower() }} {{ "AB".isupper() }} {{ "é".isascii() }} {{ "½".isalnum() }}
{{ "a\nb\r\nc\rd\x0be\x0cf\x1cg\x85h\u2028i".splitlines() }} {{ "a\n\nb\n".splitlines() }} {{ "a\nb\r\n".splitlines(true) }} {{ "".splitlines() }} {{ "a\rb".splitlines(keepends=true) }}
{{ ", ".join(["a", "b"]) }} {{ "".join(messages | map(attribute="role")) }} {{ "-".join("abc") }} {{ ",".join({"a": 1, "b": 2}) }}
{{ "prefix-x".removeprefix("prefix-") }} {{ "x.txt".removesuffix(".txt") }} {{ "x".removeprefix("y") }} {{ "x".removesuffix("") }}
{{ "äb" | length }} {{ "🦀" | length }} {{ "abc" | first }} {{ "abc" | last }} {{ "abc" | list }} {{ "abc" | reverse }} {{ "  x " | trim }}| {{ "xxaxx" | trim("x") }} {{ "\x1c x\x1f" | trim }}|
{{ 'single \'quoted\'' }} {{ "double \"quoted\"" }} {{ 'a\tb' }} {{ "\x41\u0042\103" }} {{ "a\\nb" }} {{ "\a\b\f\v" | tojson }} {{ "\d\_\(\/" }} {{ "a\
b" }} {{ "\U0001f980" }} {{ "\e" }}
{{ "con" "cat" 'enated' }}
{{ "braces }} and {% %} {# #}" }} {{ '{{' }} {{ "#}" }} {{ {"a": {"b": 1}} }} {{ {"a": {"b": {}}}}}
{{ "a" | e }} {{ "<&>'\"" | escape }} {{ "<b>" | safe }} {{ "<b>" | string }} {{ "<" ~ ("&" | e) }}
{{ "line one\nline two\n\nend" | indent }}|{{ "a\nb" | indent(2, true) }}|{{ "a\n\nb" | indent(2, blank=true) }}|{{ "a\nb" | indent(width=1, first=true) }}
{{ 3 | string + "x" }} {{ 3.0 | string }} {{ none | string }} {{ true | string }} {{ [1, "a"] | string }} {{ nothing | string }}|
{{ "a" ~ "b" | upper }} {{ ("a" ~ "b") | upper }} {{ "a" + "b" | upper }}

# filters on sequences
{{ [3, 1, 2] | sort }} {{ ["b", "A", "c"] | sort }} {{ ["b", "A", "c"] | sort(case_sensitive=true) }} {{ [3, 1, 2] | sort(reverse=true) }} {{ messages | sort(attribute="role") | map(attribute="role") | join(",") }} {{ "bca" | sort }} {{ {"b": 1, "a": 2} | sort }}
{{ {"b": 1, "A": 3, "c": 2} | dictsort }} {{ {"b": 1, "A": 3} | dictsort(case_sensitive=true) }} {{ {"b": 1, "A": 3} | dictsort(by="value") }} {{ {"b": 1, "a": 2} | dictsort(reverse=true) }}
{{ messages | map(attribute="role") | list }} {{ ["a", "b"] | map("upper") | list }} {{ messages | map(attribute="zip", default="-") | join }} {{ [[1, 2], [3]] | map("length") | list }} {{ [" a "] | map("trim") | join }} {{ ["a"] | map("replace", "a", "b") | join }} {{ tools | map(attribute="function.name") | join(" ") }} {{ [[1, 2], [3, 4]] | map(attribute=1) | list }} {{ [[1, 2]] | map(attribute="0") | list }}
{{ messages | map(attribute="zip") | list }}
{{ messages | map(attribute="zip") | join(",") }}|
{{ messages | selectattr("role", "equalto", "user") | list | length }} {{ messages | selectattr("role", "==", "user") | list | length }} {{ messages | selectattr("role", "eq", "user") | list | length }} {{ messages | selectattr("tool_calls") | list | length }} {{ messages | selectattr("tool_calls", "defined") | list | length }} {{ messages | rejectattr("role", "in", ["user", "tool"]) | map(attribute="role") | join(",") }} {{ messages | rejectattr("content", "none") | list | length }} {{ messages | selectattr("content", "string") | list | length }} {{ tools | selectattr("function.name", "equalto", "now") | list | length }}
{{ messages | selectattr("role", "equalto", "user") | first == messages[1] }} {{ (messages | selectattr("role", "equalto", "user") | list)[-1].role }} {{ messages | selectattr("role", "ne", "user") | map(attribute="role") | join(" ") }}
{{ [1, 2, 3, 4] | select("odd") | list }} {{ [1, 2, 3, 4] | reject("odd") | list }} {{ [0, 1, "", "a", none] | select | list }} {{ [0, 1, none] | reject | list }} {{ [1, 2, 3] | select("gt", 1) | list }} {{ [1, 2, 3] | select("in", [1, 3]) | list }} {{ ["a", none] | reject("none") | list }}
{{ [1, 2, 3] | first }} {{ [1, 2, 3] | last }} {{ [] | first }}|{{ [] | last }}|{{ [1, 2] | reverse | list }} {{ [3, 1] | min }} {{ [3, 1] | max }} {{ ["b", "A"] | min }} {{ [] | max }}|{{ [1, 2] | sum }} {{ [1.5, 2] | sum }} {{ [{"a": 1}, {"a": 2}] | sum(attribute="a") }} {{ [1] | sum(start=5) }} {{ [[1], [2]] | sum(start=[]) }}
{{ ["a", "b", "A", "a"] | unique | list }} {{ ["a", "A"] | unique(case_sensitive=true) | list }} {{ messages | unique(attribute="role") | map(attribute="role") | join(",") }} {{ [1, 1.0, true] | unique | list }}
{{ [1, 2] | join(", ") }} {{ [1, none, true, 2.0, "x"] | join("|") }} {{ messages | join(",", attribute="role") }} {{ "abc" | join("-") }} {{ {"a": 1} | join }} {{ [[1], ["a"]] | join(",") }} {{ [] | join }}|{{ ["a", nothing] | join("-") }}
{% for role, items in messages | groupby("role") %}{{ role }}:{{ items | length }} {% endfor %}{% for g in messages | groupby("role") %}{{ g.grouper }}={{ g.list | length }} {% endfor %}
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, "-") | list }} {{ [1, 2, 3, 4, 5] | slice(3) | list }} {{ [1, 2, 3, 4, 5] | slice(3, "x") | list }}
{{ messages | length }} {{ messages | count }} {{ {} | length }} {{ nothing | length }}
{{ none | length }}
{{ 5 | length }}
{{ "abc" | list }} {{ {"a": 1} | list }} {{ range(3) | list }} {{ (1, 2) | list }} {{ {"a": 1}.items() | list }} {{ nothing | list }}
{{ nothing | default("d") }} {{ none | default("d") }} {{ "" | default("d") }}|{{ "" | default("d", true) }} {{ none | default("d", boolean=true) }} {{ nothing | d("x") }} {{ messages[0].zip | default("z") }} {{ nothing | default }}|{{ 0 | default(5, true) }} {{ nothing | default(default_value="q") }}
{{ nothing.a | default("d") }}
{{ messages[0].a.b | default("d") }}
{{ "3" | int }} {{ "3.7" | int }} {{ "x" | int }} {{ "x" | int(7) }} {{ 3.99 | int }} {{ -3.99 | int }} {{ none | int }} {{ true | int }} {{ "0x1f" | int(0, 16) }} {{ " 5 " | int }} {{ "ff" | int(base=16) }}
{{ "3.5" | float }} {{ "x" | float }} {{ "x" | float(1.5) }} {{ 3 | float }} {{ none | float }} {{ "1e3" | float }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.567 | round(2) }} {{ 2.4 | round(0, "ceil") }} {{ 2.6 | round(method="floor") }} {{ 7 | round }} {{ -2.5 | round }} {{ 1234 | round(-2) }} {{ 2.675 | round(2) }}
{{ -5 | abs }} {{ 5.5 | abs }} {{ "x" | pprint }}
{{ {"a": 1} | items | list }} {{ nothing | items | list }} {{ {"b": 1, "a": 2} | items | first }}

# tojson
{{ messages | tojson }}
{{ tools[0] | tojson(indent=2) }}
{{ tools[0] | tojson(indent=4) }}
{{ tools[0] | tojson(indent=4, ensure_ascii=false) }} {{ "é" | tojson(true) }} {{ {"b": 1, "a": 2} | tojson(sort_keys=true) }} {{ [1, 2] | tojson(separators=(",", ":")) }} {{ [1] | tojson(indent=0) }} {{ [1, []] | tojson(indent="-") }} {{ [1] | tojson(indent=none) }} {{ [1, 2] | tojson(true, 1) }}
{{ {1: "int", none: "none", true: "bool", 1.5: "float", "s": "str"} | tojson }}
{{ (1, 2) | tojson }} {{ range(3) | list | tojson }} {{ nothing | default(none) | tojson }} {{ "</script>&'\"" | tojson }} {{ "\u2028\x7f\x00\x1f" | tojson }} {{ 1.0 | tojson }} {{ 1e20 | tojson }} {{ 10000000000 | tojson }}
{{ nothing | tojson }}
{{ messages[0].zip | tojson }}
{{ range(3) | tojson }}
{{ messages[0].items() | tojson }}
{{ messages[0].keys() | list | tojson }} {{ messages[0].items() | list | tojson }} {{ ("a" | e) | tojson }} {{ namespace | string | length > 0 }}

# loops
{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}
{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else "-" }}>{{ loop.nextitem.role if loop.nextitem is defined else "-" }} {% endfor %}
{% for m in messages %}{{ loop.cycle("a", "b", "c") }}{{ loop.changed(m.role == "user") }} {% endfor %}
{% for m in messages if m.role == "user" %}{{ loop.index }}/{{ loop.length }}{{ loop.last }} {% else %}none{% endfor %}{% for m in [] %}x{% else %}empty{% endfor %}{% for m in nothing %}x{% else %}undefined{% endfor %}
{% for m in 5 %}x{% endfor %}
{% for c in "añb" %}[{{ c }}]{% endfor %}{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }} {% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [1] %}x{% endfor %}
{% for a, b in [(1, 2, 3)] %}x{% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{{ loop.index }} {% endfor %}
{% for i in range(3) %}{% for j in range(2) %}{{ loop.index }}{{ i }}{% if j %}{% break %}{% endif %}{% endfor %};{% endfor %}
{% for i in range(3) %}{% set outer = loop %}{% for j in range(2) %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for n in [[1, [2, [3]]]] recursive %}{{ loop.depth }}{% if n is iterable %}({{ loop(n) }}){% else %}{{ n }}{% endif %}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}
{% set ns = namespace(x=1, list=[]) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% set ns.list = ns.list + [i] %}{% endfor %}{{ ns.x }} {{ ns.list }} {{ ns.zip }}| {{ ns.zip is defined }}
{% set ns = namespace() %}{% set ns.a = [1] %}{% set ns["b"] = 2 %}{{ ns.a }}
{% set ns = {"a": 1} %}{% set ns.a = 2 %}
{% for i in range(5, 0, -2) %}{{ i }} {% endfor %}{% for i in range(2, 4) %}{{ i }} {% endfor %}{{ range(0) | list }} {{ range(3)[1] }} {{ range(10)[2:4] | list }} {{ range(3) | length }} {{ 2 in range(3) }} {{ range(1, 10, 3) | list }}
{% for m in messages[1:] | reverse %}{{ m.role }} {% endfor %}{% for m in messages | reverse %}{{ loop.index }}{% endfor %}
{% for k, v in {"a": 1, "b": 2}.items() if v > 1 %}{{ k }}{{ loop.first }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for m in messages %}{% if m["role"] == "user" and m.content is string %}{{ m.content | trim }}{% elif m.content is iterable and m.content is not string and m.content is not none %}{% for p in m.content if p.type == "text" %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}
{{ loop }}
{{ loop.index }}

# statements and scope
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = (3, 4) %}{{ c }}{{ d }}{% set e = [1, 2,] %}{{ e }}{% set f = 1, 2 %}{{ f }}
{% if true %}{% set inside = 5 %}{% endif %}{{ inside }} {% if false %}{% set never = 1 %}{% endif %}{{ never is defined }}
{% set block %}a {{ 1 + 1 }} b{% endset %}[{{ block }}] {% set up | upper %}x{{ "y" }}{% endset %}{{ up }} {{ block is string }} {{ block | length }} {{ block + "c" }}
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z is defined }}
{% macro f(a, b=2, c=none) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(1, c="x") }}{{ f(b=1, a=2) }}{{ f() }}{{ f(1) | upper }}{{ f(1) ~ "!" }}{{ f.name }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(zip=2) }}
{% macro f() %}{{ later }}{% endmacro %}{% set later = 5 %}{{ f() }}
{% set early = 5 %}{% macro f() %}{{ early }}{% endmacro %}{% set early = 6 %}{{ f() }}
{% macro f() %}{{ messages | length }}{{ tools | length }}{{ bos_token }}{% endmacro %}{{ f() }}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% macro g() %}[{{ f() }}]{% endmacro %}{% macro f() %}f{% endmacro %}{{ g() }}
{% macro f() %}{% set messages = 1 %}{{ messages }}{% endmacro %}{{ f() }}{{ messages | length }}
{% macro f(messages) %}{{ messages }}{% endmacro %}{{ f(1) }}
{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}body{% endcall %}{% macro g() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) g() %}{{ a }}{{ b }}{% endcall %}
{% for i in [1, 2] %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}
{% macro f(x) -%}   {{ x }}   {%- endmacro %}[{{ f("a") }}]{% set r = f("b") %}[{{ r }}] {{ r is string }}
{% filter upper | trim %} abc {{ "def" }} {% endfilter %}
{% raw %}{{ not rendered }} {% if %}{% endraw %} {%- raw -%} {{ x }} {%- endraw -%} end
{% if 1 %}a{% elif 1 %}b{% else %}c{% endif %}{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}{% if 0 %}a{% elif 0 %}b{% else %}c{% endif %}
{% do messages %}
{% set messages = messages[1:] %}{{ messages | length }}{% set bos_token = "B" %}{{ bos_token }}
{% set x = {"a": 1,} %}{{ x }}{{ range(3,) | list }}{{ [1, 2,] }}
{{ raise_exception("told\nso") }}
{{ raise_exception("a " ~ 1) if messages | length > 99 }}fine
{{ strftime_now("%d %b %Y") }} {{ strftime_now("%-d %e %y %H:%M:%S %p %I %j %U %w %a %A %B %%") }} {{ strftime_now("é %Y 日") }} [{{ strftime_now("%Z%z") }}] {{ strftime_now("%F %T %D %R") }} {{ strftime_now("%c|%x|%X|%G-W%V-%u") }}
{{ bos_token }} {{ eos_token }} {{ unk_token }} {{ pad_token }}| {{ add_generation_prompt }} {{ documents }} {{ documents is none }} {{ tools is not none }}
{% set joiner_ = joiner(", ") %}{% for i in [1, 2] %}{{ joiner_() }}{{ i }}{% endfor %}{% set c = cycler("a", "b") %}{{ c.next() }}{{ c.next() }}
{%- generation %}x{% endgeneration -%} {% generation -%} y {%- endgeneration %}
{% autoescape true %}{{ "<" }}{% endautoescape %}
{% trans %}x{% endtrans %}
{% include "x" %}
{% import "x" as y %}
{% nope %}
{{ "x" | nope }}
{{ "x" is nope }}
{{ nope() }}
{% if false %}{{ "x" | nope }}{% endif %}ok
{% if nothing %}{{ nope() }}{% endif %}ok
{{ 1 +
{% for x in y %}
{% endfor %}
{{ x y }}
{{ "unterminated }}
{# unterminated
{% raw %}unterminated
{% if x %}{% else %}{% else %}{% endif %}
{{ [1, 2 }}
{{ {"a" 1} }}
{{ a. }}
{{ a..b }}
{{ }}
{% set 1 = 2 %}
{% set x %}
{{ {**{}} }}
{{ [x for x in y] }}
{{ lambda: 1 }}
{{ x := 1 }}
{{ a ? b }}
{{ a && b }}
{{ a || b }}
{{ !a }}
{% break %}
"""

# White space needs templates of several lines, which are written out here.
LAYOUTS = [
    "a\n", "a\n\n", "\n", "a", "a \n ", "\r\na\r\nb\r\n", "a\rb", "{{ 'a\r\nb' }}",
    "{% if 1 %}\nx\n{% endif %}\ny\n", "  {% if 1 %}\n  x\n  {% endif %}\n  y\n", "{% if 1 %}\r\nx\r\n{% endif %}\r\ny\r\n",
    "  {%- if 1 %}\n  x\n  {%- endif %}\n  y\n", "  {% if 1 -%}\n  x\n  {% endif -%}\n  y\n", "a  {%+ if 1 %}\n  x\n  {%+ endif %}\n  y\n",
    "{% if 1 +%}\nx\n{% endif +%}\ny\n", "{# c #}\nx\n  {# c #}\ny\n", "x {#- c -#} y", "a\n  {#- c #}\n  b", "  {{ 1 }}\n  {{- 2 -}}\n  3\n",
    "a {{- ' b ' -}} c", "\t{% if 1 %}\tx\t{% endif %}\t\ny", "text {% if 1 %}\nx{% endif %}\n", "{{ 1 }}\n{{ 2 }}\n", "{{ 1 -}}\n\n{{- 2 }}",
    "{% for i in [1, 2] %}\n  {{ i }}\n{% endfor %}\n", "{% for i in [1, 2] -%}\n  {{ i }}\n{%- endfor %}\n", "{%- for i in [1, 2] -%}\n{{ i }}\n{%- endfor -%}\n",
    "{% set x = 1 %}\n\n{% set y = 2 %}\n{{ x }}\n\n\n{{ y }}\n", "{% macro f() %}\n  m\n{% endmacro %}\n[{{ f() }}]\n", "{% set b %}\n  b\n{% endset %}\n[{{ b }}]\n",
    "{% raw %}\n  {{ r }}\n{% endraw %}\nx", "{%- raw %}\n  r\n  {%- endraw %}\nx", "  {% raw %}r{% endraw %}  \nx", "a\n\n\n{%- if 1 %}x{% endif -%}\n\n\nb",
    "\u00a0{% if 1 %}x{% endif %}", "\u00a0\n\u3000{%- if 1 %}x{% endif -%}\u00a0\nb", "\x0b{%- if 1 -%}\x0cx{% endif %}\x1c", "a\u2028{%- if 1 %}x{% endif %}", "\ufeff{{ 1 }}",
    "{%if 1%}x{%endif%}{%-if 1-%} y {%-endif-%}", "{{1}}{{-1-}}{{ -1 }}", "{{- -1 -}}", "{#c#}{#-c-#}{# {{ x }} #}{#\n\nmany\nlines\n#}\nend",
    "{% if 1 %}{# c #}\nx{% endif %}\n", "{{ '\\n' }}\n{{- '\\n' -}}\nx", "{{ 1 }} \n {%- if 1 %} x {%- endif %} \n y",
    "# not a line statement\n## nor a line comment\nx", "{{ 'multi\nline' }}", "{%\n  if 1\n%}x{%\nendif %}", "a{% if 1 %}\n\n\nb{% endif %}", "}} %} #} { { {",
    "{% if 1 %}   \nx{% endif %}   \ny", "{%- if 1 +%}\n x{% endif %}", "a\n   {%- set x = 1 +%}\n b", "{{ 1 }}{% if 1 %}{% endif %}\n\n{{ 2 }}", "x\n{% if 0 %}\n{% endif %}",
    "x\n{% if 0 %}\n{% endif %}\n", "x\n{{ 1 }}\n\n", "{% generation %}\n  x\n{% endgeneration %}\ny", "  {%- generation -%}\n  x\n  {%- endgeneration %}\ny",
]


def snippets():
    """Each line of SNIPPETS that is no comment (one ends in a backslash: it goes on), and the layouts."""
    lines = SNIPPETS.replace("\\\n", "\0").split("\n")
    for line in lines:
        if line and not line.startswith("# "):
            yield line.replace("\0", "\\\n")
    yield from LAYOUTS
