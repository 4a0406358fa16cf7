/* Where random bytes run in real mode. */
.section .low, "ax"
.code16
.globl wild_return, wild_code
wild_return:
    iret
wild_code:
    .skip 256
    ret
.section .note.GNU-stack, "", @progbits
