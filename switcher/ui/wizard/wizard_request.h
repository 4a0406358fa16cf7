/* What roundhoused is asked for when all is answered: the arguments of CreateGuest. */
#ifndef RH_WIZARD_REQUEST_H
#define RH_WIZARD_REQUEST_H

#include "wizard.h"

#include <gio/gunixfdlist.h>

struct wizard_request {
    char *name;
    GVariant *arguments; /* (a{sv}aa{sv}) */
    GUnixFDList *files;  /* those that the arguments speak of */
    /* A guest that installs itself from the network starts its installer once: this is for SetSettings as soon as it
     * runs, and its next start is from its disk. NULL: nothing. */
    GVariant *then; /* (a{sv}) */
};

/* FALSE with an error for the person: an answer is wrong, or the file cannot be opened any more. */
gboolean wizard_request_make(struct wizard *wizard, struct wizard_request *request, GError **error);
void wizard_request_clear(struct wizard_request *request);

#endif
