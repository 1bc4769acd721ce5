/* The successor's side: handoff/successor.cpp with handoff/adopting.cpp, and what Succession::talk
   (proxy/server/succession.cpp) does after it. Ends at the label serving, draining or exits of the including process. */

/* Adopting::answer. prepare touches nothing; an Adopted moves ownership when it is whole in the channel. */
inline adopt(c) {
  d_step { prepared[me] = prepared[me] | c }
#ifdef STARTS_BEFORE_ADOPTED
  d_step { running[me] = running[me] | c; check() }
#endif
  if
  :: true ->
     d_step {
       answer(me, Adopted, c);
       if
       :: sent -> owned[p] = owned[p] & ~c; owned[me] = owned[me] | c
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
       refusals > 0 && c == SECOND -> refusals--; prepared[me] = prepared[me] & ~c; answer(me, Refused, c) }
  fi;
  if :: !sent -> goto orphaned :: else fi
}

inline succeed(p) {
  /* ── Inherit, Ready. Until here a failure is the end: Succession::failed ── */
  if
  :: to_successor[me]?Inherit,from
  :: to_successor[me]?Abort,_ -> goto exits
  :: ENDED(to_successor, me) -> goto exits
  fi;
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
      answer(me, Ready, 0);
      if
      :: sent && empty(to_successor[me]) -> hopeful = hopeful | BIT(me)
      :: !sent || nempty(to_successor[me])              /* an Abort */
      fi
    }
    if :: !sent -> goto exits :: else fi
  };

  /* ── Listen, Listening: Conversation::talk. No time limit from here on ── */
  if
  :: to_successor[me]?Listen,on_probation
  :: to_successor[me]?Abort,_ -> goto exits
  :: ENDED(to_successor, me) -> goto orphaned
  :: d_step { SILENT(to_successor, me) && cancels > 0 && from == FROM_WORKER -> cancels--; hopeful = hopeful & ~BIT(me) } goto exits
  fi;
  accepting = accepting | BIT(me);
  atomic { d_step { answer(me, Listening, 0) } if :: !sent -> goto orphaned :: else fi };

  /* ── Trial: be_tried ── */
  if
  :: !on_probation
  :: on_probation ->
     if
     :: true -> d_step { answer(me, Trial, 0) } if :: !sent -> goto orphaned :: else fi
     :: skip
     fi;
     if
     :: nempty(to_successor[me]) -> assert(to_successor[me]?[Recall,0]); to_successor[me]?Recall,_; goto gives_back
     :: ENDED(to_successor, me) -> goto orphaned
     :: SILENT(to_successor, me) -> d_step { answer(me, Passed, 0) } if :: !sent -> goto orphaned :: else fi
     :: d_step { SILENT(to_successor, me) && cancels > 0 -> cancels-- } goto gives_back
     fi
  fi;

  /* ── Offer, Adopted, Recall, Done: serve ── */
  do
  :: to_successor[me]?[Offer] -> to_successor[me]?Offer,c; adopt(c)
  :: to_successor[me]?Recall,_ -> goto gives_back
  :: to_successor[me]?Done,_ -> break
  :: ENDED(to_successor, me) -> goto orphaned
  :: d_step { SILENT(to_successor, me) && cancels > 0 && from == FROM_WORKER -> cancels-- } goto gives_back
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
  d_step { answer(me, Bye, 0); hopeful = hopeful & ~BIT(p); shut[me] = true; unread(to_successor[me]); forget() }
  goto serving;

  /* ── Returning, Offer, Returned: give_back ── */
gives_back:
  true;
  atomic { d_step { accepting = accepting & ~BIT(me); answer(me, Returning, 0) } if :: !sent -> goto orphaned :: else fi };
  do
  :: atomic {
       d_step {
         running[me] != 0 && (frozen[me] & (frozen[me] - 1)) == 0;
         c = LOWEST(running[me]);
         frozen[me] = frozen[me] | c;
         running[me] = running[me] & ~c;
         answer(me, Offer, c)
       }
       if :: !sent -> break :: else fi
     }
  :: d_step { to_successor[me]?Adopted,c; frozen[me] = frozen[me] & ~c; check() }
#ifdef ADOPTS_AFTER_RETURNING
  :: to_successor[me]?Offer,c -> adopt(c)
#else
  :: to_successor[me]?Offer,_                                    /* sent earlier: it stays the predecessor's */
#endif
  :: to_successor[me]?Recall,_
  :: to_successor[me]?Done,_
  :: ENDED(to_successor, me) -> break
  :: SILENT(to_successor, me) && frozen[me] != 0 -> break        /* step_timeout */
  :: d_step {
       running[me] == 0 && frozen[me] == 0;
       answer(me, Returned, 0);
       if
       :: sent -> shut[me] = true; hopeful = hopeful & ~BIT(me)
       :: else
       fi
     }
     if :: sent -> goto draining :: else -> goto orphaned fi
  od;
  true;
  d_step {
    shut[me] = true;
    do
    :: to_successor[me]?kind,c ->
       if
       :: kind == Adopted -> frozen[me] = frozen[me] & ~c
       :: else
       fi
    :: empty(to_successor[me]) -> break
    od;
    kind = 0;
    running[me] = running[me] | frozen[me];
    frozen[me] = 0;
    check()
  }

  /* ── The conversation broke. Whoever gets the lock is the instance: Succession::talk, Server::succession_ended ── */
orphaned:
  true;
  d_step { shut[me] = true; unread(to_successor[me]); forget() }
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
  d_step { accepting = accepting | BIT(me); unread(to_successor[me]); forget() }
  goto serving
}
