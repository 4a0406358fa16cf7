/*
 * The words of a guest's label= setting: what it is for (desktop, which goes without saying, or service) and the label
 * that the policy's rules speak of. Which labels there are is the policy's affair (policy/asker.h).
 */
#ifndef RH_GUEST_LABEL_H
#define RH_GUEST_LABEL_H

#include <glib.h>

#define GUEST_LABEL_MAX 63

struct guest_label {
    gboolean service;
    char word[GUEST_LABEL_MAX + 1]; /* "": none */
};

/* text NULL: none is given. FALSE: it is no label=, and label is not touched. */
gboolean guest_label_read(const char *text, struct guest_label *label);

#endif
