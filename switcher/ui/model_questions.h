/* The policy's questions that the model follows, as many as roundhoused asks at a time. Main thread only. */
#ifndef RH_MODEL_QUESTIONS_H
#define RH_MODEL_QUESTIONS_H

#include "model.h"

#define MODEL_QUESTIONS_MAX 16

/* The one that has waited longest, the model's own; NULL: none waits. And how many do. */
RhQuestion1 *model_question(struct model *model);
guint model_question_count(struct model *model);

/* Answers it, once. That it has ended meanwhile comes back through model_set_failed's function. */
void model_answer(struct model *model, RhQuestion1 *question, gboolean agreed);

#endif
