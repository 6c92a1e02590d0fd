#!/usr/bin/python3
"""embed.py OUTPUT PROFILE... - the cloud profiles as C++ text, so that none has to be installed."""
import os
import sys

output, profiles = sys.argv[1], sys.argv[2:]
with open(output, "w", encoding="utf-8") as out:
    out.write('#include "conf/cloud_texts.h"\n\nnamespace causeway::conf {\nnamespace {\n\n')
    out.write("constexpr CloudText kTexts[] = {\n")
    for path in profiles:
        with open(path, encoding="utf-8") as profile:
            text = profile.read()
        name = os.path.basename(path)[: -len(".conf")]
        assert ')PROFILE"' not in text, path
        out.write(f'{{"{name}", R"PROFILE({text})PROFILE"}},\n')
    out.write("};\n\n}  // namespace\n\nstd::span<const CloudText> cloud_texts() { return kTexts; }\n\n")
    out.write("}  // namespace causeway::conf\n")
