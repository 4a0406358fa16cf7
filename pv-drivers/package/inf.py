"""INF files, as far as those here go: sections of entries, strings, no continued lines."""

import re


class Inf:
    """sections: {name in lower case: [(key or None, [values])]}, in the file's order; strings: {name in lower case: text}."""

    def __init__(self, text):
        self.sections, name = {}, None
        for line in text.splitlines():
            line = re.sub(r'("[^"]*")|;.*', lambda found: found[1] or '', line).strip()     # a ; in a text is no comment
            if not line:
                continue
            if line.startswith('['):
                name = line[1:line.index(']')].lower()
                if name in self.sections:
                    raise ValueError(f'the section [{name}] is there twice')
                self.sections[name] = []
            elif name is None:
                raise ValueError(f'"{line}" stands before the first section')
            else:
                self.sections[name].append(entry_of(line))
        self.strings = {key.lower(): values[0] for key, values in self.sections.get('strings', [])}

    def entries(self, section):
        return self.sections.get(section.lower(), [])

    def values(self, section, key):
        """Those of the key that stands once in the section; [] if it does not."""
        found = [values for name, values in self.entries(section) if name and name.lower() == key.lower()]
        if len(found) > 1:
            raise ValueError(f'{key} stands {len(found)} times in [{section}]')
        return found[0] if found else []

    def value(self, section, key):
        values = self.values(section, key)
        return values[0] if values else ''

    def models(self):
        """[(section that installs it, hardware id)]."""
        return [(values[0], values[1]) for _, names in self.entries('Manufacturer') for _, values in
                self.entries('.'.join(names)) if len(values) == 2]


def entry_of(line):
    key, equals, rest = line.partition('=')
    if not equals or '"' in key or ',' in key:
        key, rest = None, line
    values = [value.strip().strip('"') for value in re.findall(r'"[^"]*"|[^,"]+', rest)]
    return (key.strip() if key else None), [value for value in values if value]
