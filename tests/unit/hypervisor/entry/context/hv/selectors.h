/* hv/selectors.h for the host: the segment registers are the test's, and so are the tables. */
#ifndef HV_SELECTORS_H
#define HV_SELECTORS_H
#include <hv/types.h>
struct fake_selectors {
    uint16_t ds, es, fs, gs, ldt;
};
extern struct fake_selectors fake_selectors;
bool fake_selector_exists(uint16_t selector);
#define read_selector(name) (fake_selectors.name)
#define load_selector(name, value)                                                                                     \
    ({                                                                                                                 \
        uint16_t _wanted = (uint16_t)(value);                                                                          \
        bool _there = fake_selector_exists(_wanted);                                                                   \
        fake_selectors.name = _there ? _wanted : 0;                                                                    \
        _there;                                                                                                        \
    })
static inline void lldt(uint16_t selector)
{
    fake_selectors.ldt = selector;
}
#endif
