/*
 * What the compiler's stack protector (-fstack-protector-strong) asks for: a word below each return address of a
 * function with arrays, another one at each boot, and what happens when it has changed.
 */
#include <hv/console.h>
#include <hv/stack_protector.h>

/* Names given by the compiler. */
unsigned long __stack_chk_guard;
void __stack_chk_fail(void) __noreturn;

void __stack_chk_fail(void)
{
    panic("a function wrote beyond an array on its stack: %pS", __builtin_return_address(0));
}
