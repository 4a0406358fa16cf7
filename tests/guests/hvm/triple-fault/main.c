/*
 * A triple fault ends the guest, as a reboot; the hypervisor's log says why. tests/rig/hvm_guests.py looks.
 */
#include "hvm.h"

const char test_title[] = "triple fault";

void test_main(void)
{
    struct table_register nothing = {0, 0};
    __asm__ volatile("lidt %0\n\tud2" : : "m"(nothing));
    failure("still here");
}
