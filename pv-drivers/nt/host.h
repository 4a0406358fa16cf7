/*
 * Stands before every file that is compiled for the host with NT's declarations: mingw's headers take this for Cygwin,
 * whose long is the host's and whose LONG is an int, and leave out the calling convention, which is put back here.
 * Functions that they call FASTCALL, which x64 does not know, keep the host's: rules.c has wrappers for them.
 */
#ifndef NT_HOST_H
#define NT_HOST_H

#include <_mingw.h>
#undef __stdcall
#define __stdcall __attribute__((ms_abi))

#endif
