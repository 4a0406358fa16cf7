/*
 * Runs every test.
 */
#include "fake.h"

int main(void)
{
    test_memory();
    test_exchange();
    test_toolstack();
    return 0;
}
