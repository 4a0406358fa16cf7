"""The hypervisor's folders are layers: a file uses its own layer and those below. What runs upward stands in layers.toml with its
reason, and a line there that nothing needs any more fails, so that the list only gets shorter."""

import os
import sys
import tomllib

import check_symbols
import tree

OBJECTS, LEAST_OBJECTS = 'hypervisor/libroundhouse*.a.p', 200
LIST = 'tests/style/layers.toml'


def sources_by_object(paths):
    """{an object's file name: the file in hypervisor/ that it is made from}; meson puts _ for /."""
    return {path.removeprefix('hypervisor/').replace('/', '_') + '.o': path.removeprefix('hypervisor/')
            for path in paths if path.startswith('hypervisor/') and path.count('/') > 1 and path.endswith(('.c', '.S'))}


def layer_of(source, layers):
    """The number of the innermost folder that is a layer; None for a file in none."""
    inside = [layer for layer in layers if source.startswith(layer + '/')]
    return layers.index(max(inside, key=len)) if inside else None


def uses(known, sources):
    """{(file, file whose symbol it takes, symbol)}; known as check_symbols.symbols() gives it."""
    parts = [(sources[os.path.basename(path)], symbols) for path, symbols in known.items() if os.path.basename(path) in sources]
    owner = {name: source for source, (offered, _) in parts for name in offered}
    return {(source, owner[name], name) for source, (_, taken) in parts for name in taken if name in owner}


def upward(used, layers):
    """Those of uses() that run upward, as (file, layer, symbol)."""
    return {(source, layers[layer_of(owner, layers)], name) for source, owner, name in used
            if layer_of(owner, layers) > layer_of(source, layers)}


def allows(entry, symbol, use):
    source, layer, name = use
    return name == symbol and layer == entry['to'] and (source == entry['from'] or source.startswith(entry['from'] + '/'))


def problems(found, entries):
    """(upward uses that no entry allows, entries that allow nothing)."""
    listed = [(entry, symbol) for entry in entries for symbol in entry['symbols']]
    bad = [f'{source} uses {name}, which is above it in {layer}/' for source, layer, name in sorted(found)
           if not any(allows(entry, symbol, (source, layer, name)) for entry, symbol in listed)]
    idle = [f'{entry["from"]} does not use {symbol} of {entry["to"]}/ any more: remove it from {LIST}' for entry, symbol in listed
            if not any(allows(entry, symbol, use) for use in found)]
    return bad, idle + [f'{entry["from"]} -> {entry["to"]}: no reason' for entry in entries if not entry['reason'].strip()]


def main():
    rules = tomllib.loads(tree.read(LIST))
    layers, objects = rules['layers'], check_symbols.objects_of(sys.argv[1], OBJECTS)
    sources = sources_by_object(tree.files())
    outside = [source for source in sources.values() if layer_of(source, layers) is None]
    used = uses(check_symbols.symbols(objects), sources) if not outside else set()
    found = upward(used, layers)
    bad, idle = problems(found, rules['upward'])
    print('1..4')
    good = [tree.report('every file is in a layer', [f'{source} is in none of {LIST}' for source in outside]),
            tree.report('nothing is used that is above, but what is listed', bad),
            tree.report('what is listed is needed, and says why', idle),
            tree.report('objects were found', [] if len(objects) >= LEAST_OBJECTS and len(used) > 500 else
                        [f'{len(objects)} objects, {len(used)} uses: the way they are read is out of date'])]
    between = {(layer_of(source, layers), name) for source, owner, name in used if layer_of(source, layers) != layer_of(owner, layers)}
    print(f'# {len(between)} symbols are used across layers, {len({(layer_of(source, layers), name) for source, _, name in found})} upward')
    sys.exit(not all(good))


if __name__ == '__main__':
    main()
