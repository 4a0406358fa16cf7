"""tests/style/check_layers.py: what counts as running upward, and that its list can only get shorter."""

import unittest

import tap
import check_layers

LAYERS = ['lib', 'core', 'hvm/emulate', 'hvm']
SOURCES = check_layers.sources_by_object([f'hypervisor/{path}' for path in ('lib/printf.c', 'core/sched.c', 'hvm/hvm.c', 'hvm/emulate_glue.c',
                                                                           'hvm/emulate/decode.c', 'hvm/svm/entry.S', 'meson.build')])
ENTRY = {'from': 'core', 'to': 'hvm', 'symbols': ['hvm_install'], 'reason': 'it is so'}


def found(**objects):
    """What runs upward among objects {name without .c.o: (offered, taken)}."""
    known = {f'build/x.p/{name}.c.o': (set(offered.split()), set(taken.split())) for name, (offered, taken) in objects.items()}
    return check_layers.upward(check_layers.uses(known, SOURCES), LAYERS)


class Layers(unittest.TestCase):
    def test_downward(self):
        """what runs downward or stays inside is no matter, nor what no object offers"""
        self.assertEqual(found(hvm_hvm=('hvm_install', 'schedule printk'), core_sched=('schedule', 'printk image_start'),
                               lib_printf=('printk', '')), set())

    def test_upward(self):
        """what runs upward is told, with the layer it is in"""
        self.assertEqual(found(hvm_hvm=('hvm_install', ''), core_sched=('', 'hvm_install')), {('core/sched.c', 'hvm', 'hvm_install')})

    def test_innermost(self):
        """a folder inside a layer can be one of its own, and a file whose name begins like it is not in it"""
        objects = {'hvm_emulate_decode': ('decode', 'glue'), 'hvm_emulate_glue': ('glue', 'decode')}
        self.assertEqual(found(**objects), {('hvm/emulate/decode.c', 'hvm', 'glue')})
        self.assertEqual(check_layers.layer_of('hvm/svm/entry.S', LAYERS), LAYERS.index('hvm'))
        self.assertIsNone(check_layers.layer_of('iommu/vtd.c', LAYERS))

    def test_listed(self):
        """a listed one passes, from its folder or its file; none else does"""
        up = {('core/sched.c', 'hvm', 'hvm_install')}
        self.assertEqual(check_layers.problems(up, [ENTRY]), ([], []))
        self.assertEqual(check_layers.problems(up, [dict(ENTRY, **{'from': 'core/sched.c'})]), ([], []))
        for change in ({'from': 'core/vcpu.c'}, {'from': 'cor'}, {'to': 'hvm/emulate'}, {'symbols': ['hvm_resume']}):
            bad, idle = check_layers.problems(up, [dict(ENTRY, **change)])
            self.assertEqual((len(bad), len(idle)), (1, 1), change)

    def test_idle(self):
        """an entry that nothing needs fails, and so does one without a reason"""
        self.assertEqual(len(check_layers.problems(set(), [ENTRY])[1]), 1)
        self.assertEqual(len(check_layers.problems({('core/sched.c', 'hvm', 'hvm_install')}, [dict(ENTRY, reason=' ')])[1]), 1)


if __name__ == '__main__':
    tap.main()
