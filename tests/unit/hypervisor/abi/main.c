/*
 * Runs every test; a failure says where and aborts.
 */
#include <stdio.h>

#include "fake.h"

int main(void)
{
    test_memory();
    test_exchange();
    test_toolstack();
    puts("abi: all passed");
    return 0;
}
