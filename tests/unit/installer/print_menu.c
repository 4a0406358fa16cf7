/* What GRUB reads on the boot partition, for menu_test.py: print-menu, or print-menu A|B, that slot's start.cfg. */
#include "grub_config.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    const struct source source = {.hypervisor_options = "console=com1", .kernel_options = "quiet"};
    g_autofree char *text = argc > 1 ? grub_start(argv[1][0], &source, "slot-id", "state-id") : grub_menu();
    fputs(text, stdout);
    return 0;
}
