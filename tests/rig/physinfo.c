/* Prints the hypervisor's free memory in pages: `xl info` rounds to MiB, and a leak may be one page. */
#include <stdio.h>
#include <xenctrl.h>

int main(void)
{
    xc_physinfo_t info = {0};
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);

    if (!xc || xc_physinfo(xc, &info) < 0) {
        perror("physinfo");
        return 1;
    }
    printf("%llu\n", (unsigned long long)info.free_pages);
    xc_interface_close(xc);
    return 0;
}
