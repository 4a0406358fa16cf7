/* How long after its time a program of Domain-0 runs: wake NAME. */
#include "wake.h"

#include <stdio.h>

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: wake NAME\n");
        return 1;
    }
    wake_measure(arguments[1]);
    return 0;
}
