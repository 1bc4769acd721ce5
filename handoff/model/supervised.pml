/* The parent of --supervise, which plays the predecessor of an instance that has crashed: proxy/supervisor/. Without
   SUPERVISED there is none. */

#ifndef SUPERVISED
#define announce() skip
#define tell(what, whom) skip
#else

mtype = { Announced, Succeeded, Leaving };
chan line[N] = [3] of { mtype, byte };              /* of the worker n; what is in it outlives the worker */

inline tell(what, whom) { assert(nfull(line[me])); line[me]!what,whom }
inline announce() { d_step { tell(Announced, 0) } }

/* watch_once reads every line before it acts. */
#if N == 2
#define ALL_HEARD (empty(line[0]) && empty(line[1]))
#elif N == 3
#define ALL_HEARD (empty(line[0]) && empty(line[1]) && empty(line[2]))
#else
#define ALL_HEARD (empty(line[0]) && empty(line[1]) && empty(line[2]) && empty(line[3]))
#endif

/* Supervisor::hear */
inline hear(p) {
  line[p]?word,whom;
  if
  :: word == Announced -> instance = p; is_planned = false
  :: word == Succeeded ->
     over = over | BIT(p);
     if :: instance == p -> instance = whom :: else fi
  :: word == Leaving -> over = over | BIT(p)
  fi;
  word = 0;
  whom = 0
}

/* Supervisor::give_up_candidate; the instance is no candidate any more. */
inline drop_candidate() {
  shut[candidate] = true;
  unread(to_predecessor[candidate]);
  if
  :: instance != candidate && (dead & BIT(candidate)) == 0 -> kill(candidate)
  :: else
  fi;
  if :: instance == NOBODY -> is_planned = true :: else fi;
  candidate = NOBODY;
  step = 0
}

proctype Parent() {
  byte instance;              /* 0: the first */
  byte candidate = NOBODY;    /* what replaces a crashed instance: Replacement */
  byte over;                  /* resigned or leaving */
  mtype step, word;           /* the frame that is awaited of the candidate */
  byte whom;
  bool sent, is_planned;

end_parent:
  do
  :: d_step { nempty(line[0]) -> hear(0) }
  :: d_step { nempty(line[1]) -> hear(1) }
#if N > 2
  :: d_step { nempty(line[2]) -> hear(2) }
#endif
#if N > 3
  :: d_step { nempty(line[3]) -> hear(3) }
#endif

  /* instance_lost, after all that it has said. Its keeper is waited for. */
  :: d_step {
       instance != NOBODY && (dead & ~kept & BIT(instance)) != 0 && empty(line[instance]);
       instance = NOBODY;
       is_planned = true
     }

  /* replace: at once, or after candidate_grace if another process may become the instance */
  :: d_step {
       ALL_HEARD && is_planned && instance == NOBODY && candidate == NOBODY && born < N;
       is_planned = false;
       candidate = born;
       born++;
       succeeding = succeeding | BIT(candidate);
       say(candidate, Inherit, FROM_PARENT);
       step = Ready
     }
     run Baton(candidate, PARENT)
  :: d_step {
       ALL_HEARD && is_planned && instance == NOBODY && candidate == NOBODY && born == N;
       is_planned = false;
       is_service_lost = true                         /* the model has no more processes */
     }

  /* Replacement's hand_over: a predecessor without connections */
  :: d_step { step == Ready && to_predecessor[candidate]?[Ready,0] -> to_predecessor[candidate]?Ready,_;
              say(candidate, Listen, 0); step = Listening }
  :: d_step { step == Listening && to_predecessor[candidate]?[Listening,0] -> to_predecessor[candidate]?Listening,_;
              say(candidate, Done, 0); step = Bye }
  :: d_step { step == Bye && to_predecessor[candidate]?[Bye,0] -> to_predecessor[candidate]?Bye,_;
              if :: instance == NOBODY -> instance = candidate :: else fi;
              candidate = NOBODY; step = 0 }
  :: d_step { ALL_HEARD && candidate != NOBODY && shut[candidate] && empty(to_predecessor[candidate]) -> drop_candidate() }
  :: d_step { ALL_HEARD && candidate != NOBODY && !shut[candidate] && empty(to_predecessor[candidate]);
              slow = slow | BIT(candidate); drop_candidate() }
  /* announced: another process is the instance */
  :: d_step { ALL_HEARD && candidate != NOBODY && instance != NOBODY && instance != candidate -> drop_candidate() }
  od
}
#endif
