/*
 * The errors roundhoused gives its D-Bus callers. Each message is one or two sentences for the user: what
 * happened, and what to do about it. The names on the bus are org.roundhouse.Error.<name>.
 */
#ifndef RH_ERRORS_H
#define RH_ERRORS_H

#include <glib.h>

enum rh_error {
    RH_ERROR_NOT_FOUND,   /* no such guest or slot */
    RH_ERROR_WRONG_STATE, /* the guest's state does not allow this request */
    RH_ERROR_NO_MEMORY,   /* not enough free memory to start the guest */
    RH_ERROR_BAD_CONFIG,  /* the guest's definition, or a setting of it, cannot be used */
    RH_ERROR_DISPLAY,     /* the seat cannot show the guest */
    RH_ERROR_TOOLSTACK,   /* the hypervisor or a device refused */
    RH_ERROR_NOT_ALLOWED, /* the caller may not do this */
    RH_ERROR_NAME_IN_USE, /* another guest has the name, or its file is there */
    RH_ERROR_SLOT_IN_USE, /* another guest has the slot */
    RH_ERROR_STORAGE,     /* the pool of disks, or a file for it, refused */
    RH_ERROR_NO_SPACE,    /* the pool of disks is full */
    RH_ERROR_IN_USE,      /* a disk is in use */
    RH_ERROR_EXISTS,      /* the name is taken */
    RH_ERROR_POLICY,      /* the policy in force does not allow it; the message has the rule */
    RH_ERROR_NOT_AGREED,  /* the policy asks a person first, and nobody said yes */
    RH_ERROR_COUNT
};

#define RH_ERROR (rh_error_quark())

/* Registers the names on the bus on first use. */
GQuark rh_error_quark(void);

#endif
