/* A policy's question as a person reads it, of the words that the bus has. No GTK. The caller frees what is given. */
#ifndef RH_QUESTION_TEXT_H
#define RH_QUESTION_TEXT_H

#include <glib.h>

/* The guest's name, of "work (desktop:untrusted)"; NULL: it is no guest. */
char *question_guest(const char *party);

/* "work", "the person at this laptop" */
char *question_party(const char *party);

/* "May work use microphone?", "May the person at this laptop delete work?" */
char *question_title(const char *subject, const char *verb, const char *object);

/* "work may use microphone.", "work may use microphone, after a question." subject and object are for a person already;
 * effect: as PolicyExplain has it, and one that is not known is a no. */
char *question_may(const char *subject, const char *verb, const char *object, const char *effect);

/* Whether the sentence names an object: some verbs have none but the laptop itself. */
gboolean question_has_object(const char *verb);

/* What the verb is, as the policy's manual has it; NULL: a verb that is not known. */
const char *question_about(const char *verb);

/* What a yes is, with how long it counts: "Yes, this once". remember: as org.roundhouse.Question1 has it. Not the
 * caller's. */
const char *question_yes(const char *remember);

#endif
