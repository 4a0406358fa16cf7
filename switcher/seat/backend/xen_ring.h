// The ring macros of the public ABI (xen/io/ring.h) with the compiler's fences as barriers.
#pragma once

#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__

#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#include <stdint.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/displif.h>
