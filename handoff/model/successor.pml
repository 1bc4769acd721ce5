/* The successor's side: handoff/successor.cpp with handoff/adopting.cpp, and what Succession::talk
   (proxy/server/succession.cpp) does after it. Ends at the label serving, draining or exits of the including process. */

#ifdef KEEPER
#define MAY_LEAVE (from == FROM_WORKER && on == me)
#ifdef REMEMBERS_WHAT_IT_GAVE_BACK
#define GIVEN(c) skip
#else
#define GIVEN(c) FORGET(me, c)
#endif

/* Its end of the spare came with Inherit. An older version closes it. */
inline take_spare() {
  if
  :: from == FROM_WORKER -> spared = spared | BIT(me)
#ifdef OLDER
  :: from == FROM_WORKER -> d_step { close_spare(me) }
#endif
  :: from != FROM_WORKER
  fi
}

/* Conversation::continue_on_spare: if there is something in it, the predecessor has died, and its keeper goes on there. */
inline continue_on_spare() {
  if
#ifdef GOES_TO_AN_EMPTY_SPARE
  :: on == me && (spared & BIT(me)) != 0 -> on = SPARE; goto listens
#else
  :: d_step {
       on == me && (spared & BIT(me)) != 0 && nempty(to_successor[SPARE]);
       on = SPARE;
       hopeful = hopeful | BIT(me)
     }
     goto listens
  :: on == me && (spared & BIT(me)) != 0 && empty(to_successor[SPARE]) -> d_step { close_spare(me) }
#endif
  :: on == SPARE || (spared & BIT(me)) == 0 -> d_step { close_spare(me); on = me }
  fi
}
#else
#define on me
#define MAY_LEAVE (from == FROM_WORKER)
#define GIVEN(c) skip
#endif

/* Of a successor that is told to. Nobody else accepts, unless the predecessor has given up. */
inline begin_accepting(p) {
  assert((accepting & BIT(p)) == 0 || shut[on]);
  accepting = accepting | BIT(me)
}
#ifdef CANARY_ACCEPTS_AT_ONCE
#define MAY_ACCEPT true
#elif defined(PROMOTED_BY_A_KEEPER_DOES_NOT_ACCEPT)
#define MAY_ACCEPT (mode != AS_CANARY && on == me)
#else
#define MAY_ACCEPT (mode != AS_CANARY)
#endif

/* Adopting::answer. prepare touches nothing; an Adopted moves ownership when it is whole in the channel. */
inline adopt(c) {
  d_step { prepared[me] = prepared[me] | c }
#ifdef STARTS_BEFORE_ADOPTED
  d_step { running[me] = running[me] | c; check() }
#endif
  if
  :: true ->
     d_step {
       answer(on, Adopted, c);
       if
       :: sent -> assert((owned[p] & c) != 0); KNOW(me, c); owned[p] = owned[p] & ~c; owned[me] = owned[me] | c
#ifdef KEEPS_WHAT_IT_COULD_NOT_ADOPT
       :: else -> sent = true
#else
       :: else -> prepared[me] = prepared[me] & ~c
#endif
       fi;
       check()
     }
     if
     :: sent -> d_step { prepared[me] = prepared[me] & ~c; running[me] = running[me] | c; check() }
     :: else
     fi
  :: d_step {
       refusals > 0 && c == SECOND -> refusals--; prepared[me] = prepared[me] & ~c; answer(on, Refused, c) }
  fi;
  if :: !sent -> goto orphaned :: else fi
}

inline succeed(p) {
  /* ── Inherit, Ready. Until here a failure is the end: Succession::failed ── */
  if
  :: to_successor[on]?Inherit,from
  :: to_successor[on]?Abort,_ -> goto exits
  :: ENDED(to_successor, on) -> goto exits
  fi;
#ifdef KEEPER
  take_spare();
#endif
#ifdef CANDIDATE_LISTENS_BEFORE_THE_LOCK
  skip;
#else
  /* Instance::inherit: what replaces a crashed process takes the lock first */
  if
  :: from != FROM_PARENT
  :: d_step { from == FROM_PARENT && lock == NOBODY -> lock = me; heir = me }
  :: from == FROM_PARENT && lock != NOBODY -> goto exits
  fi;
#endif
  atomic {
    d_step {
      answer(on, Ready, 0);
      if
      :: sent && empty(to_successor[on]) -> hopeful = hopeful | BIT(me)
      :: !sent || nempty(to_successor[on])              /* an Abort */
      fi
    }
    if :: !sent -> goto exits :: else fi
  };

  /* ── Listen, Listening: Conversation::talk. No time limit from here on ── */
listens:
  if
  :: to_successor[on]?Listen,mode
  :: to_successor[on]?Abort,_ -> goto exits
  :: ENDED(to_successor, on) -> goto orphaned
  :: d_step { SILENT(to_successor, on) && cancels > 0 && MAY_LEAVE -> cancels--; hopeful = hopeful & ~BIT(me) } goto exits
  fi;
  d_step { if :: MAY_ACCEPT -> begin_accepting(p) :: else fi };
  atomic { d_step { answer(on, Listening, 0) } if :: !sent -> goto orphaned :: else fi };

  /* ── Trial: be_tried ── */
  if
  :: mode != ON_PROBATION
  :: mode == ON_PROBATION ->
     if
     :: true -> d_step { answer(on, Trial, 0) } if :: !sent -> goto orphaned :: else fi
     :: skip
     fi;
     if
     :: nempty(to_successor[on]) -> assert(to_successor[on]?[Recall,0]); to_successor[on]?Recall,_; goto gives_back
     :: ENDED(to_successor, on) -> goto orphaned
     :: SILENT(to_successor, on) -> d_step { answer(on, Passed, 0) } if :: !sent -> goto orphaned :: else fi
     :: d_step { SILENT(to_successor, on) && cancels > 0 -> cancels-- } goto gives_back
     fi
  fi;

  /* ── Offer, Adopted, Recall, Done: serve; and until the second Listen: be_canary ── */
  do
  :: to_successor[on]?[Offer] -> to_successor[on]?Offer,c
#if defined(KEEPER) && !defined(FORGETS_WHAT_IT_TOOK)
     if
     :: (known[me] & c) != 0 -> d_step { answer(on, Adopted, c) } if :: !sent -> goto orphaned :: else fi
     :: else -> adopt(c)
     fi
#else
     adopt(c)
#endif
#ifdef CANARY
  :: to_successor[on]?[Listen] ->                                    /* be_promoted */
     d_step { assert(mode == AS_CANARY); to_successor[on]?Listen,mode; begin_accepting(p) }
     atomic { d_step { answer(on, Listening, 0) } if :: !sent -> goto orphaned :: else fi }
  :: d_step { mode == AS_CANARY && !has_told -> has_told = true; answer(on, Trial, 0) }
     if :: !sent -> goto orphaned :: else fi
#endif
  :: to_successor[on]?Recall,_ -> goto gives_back
  :: to_successor[on]?Done,_ -> break
  :: ENDED(to_successor, on) -> goto orphaned
  :: d_step { SILENT(to_successor, on) && cancels > 0 && MAY_LEAVE -> cancels-- } goto gives_back
  od;

  /* ── The lock, Bye: take_over; the PID file comes after the announcement, before Bye ── */
  if
  :: d_step { lock == NOBODY && NAMED(me) -> lock = me }
  :: lock == me
  :: lock != me && (lock != NOBODY || !NAMED(me)) -> goto orphaned
  fi;
  d_step { become(me); hopeful = hopeful & ~BIT(me); succeeding = succeeding & ~BIT(me) }
  announce();
  pid_file = me;
  d_step { answer(on, Bye, 0); hopeful = hopeful & ~BIT(p); shut[on] = true; unread(to_successor[on]); close_spare(me); forget() }
  goto serving;

  /* ── Returning, Offer, Returned: give_back ── */
gives_back:
  true;
  atomic { d_step { accepting = accepting & ~BIT(me); answer(on, Returning, 0) } if :: !sent -> goto orphaned :: else fi };
  do
  :: atomic {
       d_step {
         running[me] != 0 && (frozen[me] & (frozen[me] - 1)) == 0;
         c = LOWEST(running[me]);
         frozen[me] = frozen[me] | c;
         running[me] = running[me] & ~c;
         answer(on, Offer, c)
       }
       if :: !sent -> break :: else fi
     }
#ifdef KEEPER
  :: to_successor[on]?Adopted,c -> d_step { frozen[me] = frozen[me] & ~c; GIVEN(c); check() }
#else
  :: d_step { to_successor[on]?Adopted,c; frozen[me] = frozen[me] & ~c; check() }
#endif
#ifdef ADOPTS_AFTER_RETURNING
  :: to_successor[on]?Offer,c -> adopt(c)
#else
  :: to_successor[on]?Offer,_                                    /* sent earlier: it stays the predecessor's */
#endif
  :: to_successor[on]?Recall,_
  :: to_successor[on]?Done,_
#if defined(CANARY) && !defined(RETURNS_AND_KNOWS_NO_LISTEN)
  :: to_successor[on]?Listen,_
#elif defined(CANARY)
  :: to_successor[on]?Listen,_ -> break
#endif
  :: ENDED(to_successor, on) -> break
  :: TOO_LATE(to_successor, on) && frozen[me] != 0 -> break        /* step_timeout */
  :: d_step {
       running[me] == 0 && frozen[me] == 0;
       answer(on, Returned, 0);
       if
#if !defined(KEEPER) || defined(LEAVES_WITH_RETURNED)
       :: sent -> shut[on] = true; hopeful = hopeful & ~BIT(me)
#else
       :: sent -> hopeful = hopeful & ~BIT(me)
#endif
       :: else
       fi
     }
#if !defined(KEEPER) || defined(LEAVES_WITH_RETURNED)
     if :: sent -> goto draining :: else -> goto orphaned fi
#else
     if :: sent -> goto returned :: else -> goto orphaned fi
#endif
  od;
  true;
  d_step {
    shut[on] = true;
    do
    :: to_successor[on]?kind,c ->
       if
       :: kind == Adopted -> frozen[me] = frozen[me] & ~c; GIVEN(c)
       :: else
       fi
    :: empty(to_successor[on]) -> break
    od;
    kind = 0;
    running[me] = running[me] | frozen[me];
    frozen[me] = 0;
    check()
  }

#ifdef KEEPER
  goto orphaned;

  /* ── The predecessor closes the channel when it has read Returned; its keeper, when it may not have ── */
returned:
  do
  :: to_successor[on]?_,_
  :: ENDED(to_successor, on) -> break
  od;
  continue_on_spare();
  d_step { forget() }
  goto draining;
#endif

  /* ── The conversation broke. Whoever gets the lock is the instance: Succession::talk, Server::succession_ended ── */
orphaned:
  true;
  d_step { shut[on] = true; unread(to_successor[on]); forget() }
#ifdef KEEPER
  continue_on_spare();
#endif
  if :: lock != me -> accepting = accepting & ~BIT(me) :: else fi;
  if
  :: lock == me
  :: d_step { lock == NOBODY && NAMED(me) -> lock = me }
  :: d_step { lock == NOBODY && !NAMED(me) -> hopeful = hopeful & ~BIT(me) } goto draining
#ifdef ORPHAN_NEEDS_NO_LOCK
  :: lock != NOBODY && lock != me -> lock = me
#else
  :: d_step { lock != NOBODY && lock != me -> hopeful = hopeful & ~BIT(me) } goto draining
#endif
  fi;
  pid_file = me;
  d_step { become(me); hopeful = hopeful & ~BIT(me); succeeding = succeeding & ~BIT(me) }
  announce();
  d_step { accepting = accepting | BIT(me); unread(to_successor[on]); forget() }
  goto serving
}
