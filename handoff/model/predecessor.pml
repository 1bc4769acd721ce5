/* The predecessor's side: handoff/predecessor.cpp with handoff/offering.cpp. `me` hands over to `s`. Ends at the label
   rolled_back or completed of the including process. */

/* WorkersDonor::reclaim: waits for the lock, for at most step_timeout. */
inline reclaim() {
  if
  :: !resigned
#ifdef RECLAIMS_WITHOUT_THE_LOCK
  :: resigned -> d_step { resigned = false; hopeful = hopeful & ~BIT(me); is_instance = is_instance | BIT(me) }
     pid_file = me
#else
  :: d_step { resigned && lock == NOBODY && NAMED(s) -> lock = me; hopeful = hopeful & ~BIT(me) }
#ifndef RECLAIMS_WITHOUT_THE_PID_FILE
     pid_file = me;
#endif
     d_step { become(me); resigned = false }
     announce()
  :: d_step { resigned && (lock != NOBODY || !NAMED(s)) -> assert(lock == s || heir != s); hopeful = hopeful & ~BIT(me) }
#endif
  fi
}

/* Offering::hear_adopted */
inline hear_adopted(kind, c) {
  frozen[me] = frozen[me] & ~c;
  if
  :: kind == Adopted -> moved = true; FORGET(me, c)
  :: else -> running[me] = running[me] | c; refused[me] = refused[me] | c
  fi;
  check()
}

/* Conversation::begin_returns. The successor answers no more Offers. */
inline begin_returns() {
  is_returning = true;
  accepting = accepting | BIT(me);
  KNOW(me, frozen[me]);
  running[me] = running[me] | frozen[me];
  frozen[me] = 0;
  check()
}

/* Adopting::answer, here for what comes back, from the successor or its keeper. */
inline adopt_returned(at, giver, c, broken) {
  prepared[me] = prepared[me] | c;
  atomic {
    d_step {
      say(at, Adopted, c);
      if
      :: sent -> assert((owned[giver] & c) != 0); KNOW(me, c); owned[giver] = owned[giver] & ~c; owned[me] = owned[me] | c
      :: else -> prepared[me] = prepared[me] & ~c
      fi;
      check()
    }
    if :: !sent -> goto broken :: else fi
  };
  d_step { prepared[me] = prepared[me] & ~c; running[me] = running[me] | c; refused[me] = refused[me] & ~c; check() }
}

#ifdef KEEPER
/* Conversation::continue_on_spare: if there is something in it, the successor has died, and its keeper gives back there. */
inline take_returns_on_spare(s) {
  if
#ifndef GOES_TO_AN_EMPTY_SPARE
  :: empty(to_predecessor[SPARE]) -> goto spare_over
#else
  :: ENDED(to_predecessor, SPARE) -> goto spare_over
#endif
  :: to_predecessor[SPARE]?Returning,_
  fi;
  do
  :: to_predecessor[SPARE]?[Offer] ->
     to_predecessor[SPARE]?Offer,c;
#ifndef ADOPTS_WHAT_IT_TOOK_BACK
     if
     :: (known[me] & c) != 0 -> d_step { say(SPARE, Adopted, c) } if :: !sent -> goto spare_over :: else fi
     :: else -> adopt_returned(SPARE, s, c, spare_over)
     fi
#else
     adopt_returned(SPARE, s, c, spare_over)
#endif
  :: to_predecessor[SPARE]?Returned,_ -> goto spare_over
  :: ENDED(to_predecessor, SPARE) -> goto spare_over
  :: TOO_LATE(to_predecessor, SPARE) -> goto spare_over
  od
}
#endif

#ifdef CANARY
/* The limit is for the next Trial, so it may pass whatever else is expected. */
#define CANARY_IS_SILENT(s) (mode == AS_CANARY && SILENT(to_predecessor, s))
#define IS_LATE(s) (mode != AS_CANARY && TOO_LATE(to_predecessor, s))

#ifdef KEEPER
/* WorkersDonor::kill_canary. Perhaps it hangs while it runs a connection. One of the deaths. */
inline kill_canary(s) {
  assert(((slow | dead) & BIT(s)) != 0);
  if :: (dead & BIT(s)) == 0 && deaths > 0 -> deaths-- :: else fi;
  if
  :: (dead & BIT(s)) == 0 && HAS_WORK(s) -> d_step { be_kept(s, 0) }
  :: (dead & BIT(s)) == 0 && HAS_WORK(s) && (running[s] & FIRST) != 0 -> d_step { be_kept(s, FIRST) }
#ifndef LOSES_NOTHING
  :: (dead & BIT(s)) == 0 -> d_step { bury(s) }
#endif
  :: (dead & BIT(s)) != 0
  fi
}
#endif

/* Conversation::prove_canary: Listen, Listening, then Offer and Adopted for some clients. P accepts on. */
inline prove_canary(s) {
  d_step { listen_said = true; mode = AS_CANARY; say(s, Listen, AS_CANARY) }
  if :: !sent -> goto gives_up :: else fi;
  if
  :: to_predecessor[s]?Listening,_ -> serves = true
  :: ENDED(to_predecessor, s) -> goto gives_up
  :: CANARY_IS_SILENT(s) -> slow = slow | BIT(s); goto hung
  fi;
  do
  :: atomic {
       d_step {
         (running[me] & OF_CANARY & ~refused[me]) != 0 && (frozen[me] & (frozen[me] - 1)) == 0;
         c = LOWEST(running[me] & OF_CANARY & ~refused[me]);
         frozen[me] = frozen[me] | c;
         running[me] = running[me] & ~c;
         say(s, Offer, c)
       }
       if :: !sent -> goto gives_up :: else fi
     }
#ifdef KEEPER
  :: to_predecessor[s]?Adopted,c -> d_step { hear_adopted(Adopted, c) }
#else
  :: d_step { to_predecessor[s]?Adopted,c; hear_adopted(Adopted, c) }
#endif
  :: d_step { to_predecessor[s]?Refused,c; hear_adopted(Refused, c) }
  :: to_predecessor[s]?Trial,_
  :: d_step { to_predecessor[s]?Returning,_; begin_returns() } goto takes_returns
  :: ENDED(to_predecessor, s) -> goto gives_up
  :: CANARY_IS_SILENT(s) -> slow = slow | BIT(s); goto hung
  :: d_step { cancels > 0 -> cancels--; say(s, Recall, 0) } goto recalled
  :: frozen[me] == 0 -> mode = PLAIN; break                              /* promoted */
  od;
  true
}
#else
#define IS_LATE(s) TOO_LATE(to_predecessor, s)
#endif

inline hand_over(s) {
  /* ── Inherit, Ready ── */
  d_step { say(s, Inherit, FROM_WORKER) }
  if
  :: to_predecessor[s]?Ready,_
  :: ENDED(to_predecessor, s) -> goto gives_up
  :: TOO_LATE(to_predecessor, s) -> slow = slow | BIT(s); goto gives_up             /* ready_timeout */
  :: d_step { cancels > 0 -> cancels--; say(s, Abort, 0); hopeful = hopeful & ~BIT(s) } goto gives_up
  fi;

  /* ── Listen, Listening ── */
#ifdef CANARY
  prove_canary(s);
#endif
  d_step {
    listen_said = true;
#ifndef PROMOTES_AND_ACCEPTS_ON
    accepting = accepting & ~BIT(me)
#endif
  }
  if
  :: true -> d_step { say(s, Listen, PLAIN) }
#ifndef NO_PROBATION
  :: true -> d_step { say(s, Listen, ON_PROBATION); mode = ON_PROBATION }
#endif
  fi;
  if :: !sent -> goto gives_up :: else fi;
#ifdef CANARY
listens_too:
#endif
  if
  :: to_predecessor[s]?Listening,_ -> serves = true
#ifdef CANARY
  :: to_predecessor[s]?Trial,_ -> goto listens_too                                 /* said before it read Listen */
#ifdef PROMOTES_WHAT_RETURNS
  :: to_predecessor[s]?Returning,_ -> goto gives_up
#else
  :: d_step { to_predecessor[s]?Returning,_; begin_returns() } goto takes_returns
#endif
#ifdef RECALLS_WHAT_IT_PROMOTES
  :: d_step { !moved && cancels > 0 -> cancels--; say(s, Recall, 0) } goto gives_up
#endif
#endif
  :: ENDED(to_predecessor, s) -> goto gives_up
  :: TOO_LATE(to_predecessor, s) -> slow = slow | BIT(s); goto gives_up             /* step_timeout, as each one below */
  fi;
#ifdef RESIGNS_BEFORE_ADOPTED
  d_step { is_instance = is_instance & ~BIT(me); lock = NOBODY; resigned = true; hopeful = hopeful | BIT(me) }
#endif

  /* ── Trial ── */
  do
  :: mode != ON_PROBATION -> break
  :: mode == ON_PROBATION && to_predecessor[s]?[Trial] -> to_predecessor[s]?Trial,_
  :: mode == ON_PROBATION && to_predecessor[s]?[Passed] -> to_predecessor[s]?Passed,_; break
  :: d_step { mode == ON_PROBATION && to_predecessor[s]?[Returning] -> to_predecessor[s]?Returning,_; begin_returns() } goto takes_returns
  :: mode == ON_PROBATION && ENDED(to_predecessor, s) -> goto gives_up
  :: mode == ON_PROBATION && TOO_LATE(to_predecessor, s) -> slow = slow | BIT(s); serves = false; goto gives_up
  :: d_step { mode == ON_PROBATION && cancels > 0 -> cancels--; say(s, Recall, 0) } goto recalled
  od;

  /* ── Offer, Adopted: Offering::run ── */
  do
  :: atomic {
       d_step {
         (running[me] & ~refused[me]) != 0 && (frozen[me] & (frozen[me] - 1)) == 0;
         c = LOWEST(running[me] & ~refused[me]);
         frozen[me] = frozen[me] | c;
         running[me] = running[me] & ~c;
         say(s, Offer, c)
       }
       if :: !sent -> goto gives_up :: else fi
     }
#ifdef KEEPER
  :: to_predecessor[s]?Adopted,c -> d_step { hear_adopted(Adopted, c) }
#else
  :: d_step { to_predecessor[s]?Adopted,c; hear_adopted(Adopted, c) }
#endif
  :: d_step { to_predecessor[s]?Refused,c; hear_adopted(Refused, c) }
  :: d_step { to_predecessor[s]?Returning,_; begin_returns() } goto takes_returns
  :: ENDED(to_predecessor, s) -> goto gives_up
  :: TOO_LATE(to_predecessor, s) && frozen[me] != 0 -> slow = slow | BIT(s); serves = false; goto gives_up
  :: d_step { !moved && cancels > 0 -> cancels--; say(s, Recall, 0) } goto recalled
  :: (running[me] & ~refused[me]) == 0 && frozen[me] == 0 -> break
  od;
  true;

  /* ── Done, Bye: Conversation::say_done, UpgradeAttempt::resign ── */
#ifndef RESIGNS_BEFORE_ADOPTED
  d_step { is_instance = is_instance & ~BIT(me); lock = NOBODY; resigned = true; hopeful = hopeful | BIT(me) }
#endif
  atomic { d_step { say(s, Done, 0) } if :: !sent -> goto gives_up :: else fi };
  if
  :: to_predecessor[s]?Bye,_ -> goto completed
  :: to_predecessor[s]?[Returning] ->
     reclaim();
     if :: resigned -> goto gives_up :: else fi;
     d_step { to_predecessor[s]?Returning,_; begin_returns() }
     goto takes_returns
  :: ENDED(to_predecessor, s) -> goto gives_up
  :: TOO_LATE(to_predecessor, s) -> slow = slow | BIT(s); goto gives_up
  fi;

  /* ── Recall, Returning, Offer, Returned: Conversation::take_returns ── */
recalled:
#ifdef KILLS_INSTEAD_OF_RECALL
  serves = false;
  goto gives_up;
#endif
#ifdef TAKES_NOTHING_AFTER_RECALL
  goto gives_up;
#endif
takes_returns:
  do
  :: to_predecessor[s]?Returned,_ -> goto gives_up
#ifdef KEEPER
  :: to_predecessor[s]?Adopted,c -> d_step { hear_adopted(Adopted, c) }
#else
  :: d_step { to_predecessor[s]?Adopted,c; hear_adopted(Adopted, c) }
#endif
  :: d_step { to_predecessor[s]?Refused,c; hear_adopted(Refused, c) }
  :: to_predecessor[s]?Trial,_
  :: to_predecessor[s]?Passed,_
  :: d_step { to_predecessor[s]?Returning,_; begin_returns() }
  :: is_returning && to_predecessor[s]?[Offer] -> to_predecessor[s]?Offer,c; adopt_returned(s, s, c, gives_up)
  :: ENDED(to_predecessor, s) -> goto gives_up
  :: IS_LATE(s) -> slow = slow | BIT(s); serves = false; goto gives_up             /* return_timeout */
#ifdef CANARY
  :: CANARY_IS_SILENT(s) -> slow = slow | BIT(s); serves = false; goto hung
#endif
  od;

#ifdef CANARY
  /* ── A canary that is silent, if it is a child with a keeper: Conversation::end_hung_canary ── */
hung:
#if defined(KEEPER) && !defined(LEAVES_WHAT_HANGS)
  if
  :: atomic { true -> kill_canary(s) }
#ifndef LOSES_NOTHING
  :: true -> goto gives_up                                                         /* it is no such child */
#endif
  fi;
#ifndef KILLS_AND_LOOKS_AT_ONCE
  if
  :: nempty(to_predecessor[SPARE])
  :: shut[s] || shut[SPARE]
  :: TOO_LATE(to_predecessor, SPARE)
  fi;
#endif
#endif
#endif

  /* ── The one way to give up: Conversation::give_up, Offering::give_up ── */
gives_up:
  true;
  d_step {
#ifndef TAKES_BACK_WITHOUT_SHUTDOWN
    shut[s] = true;
#endif
    do
    :: to_predecessor[s]?kind,c ->
#if !defined(TAKES_BACK_WITHOUT_READING) && !defined(TAKES_BACK_WITHOUT_SHUTDOWN)
       if
       :: kind == Adopted || kind == Refused -> hear_adopted(kind, c)
       :: else
       fi
#endif
    :: empty(to_predecessor[s]) -> break
    od;
    kind = 0;
#ifdef KILLS_WHAT_HAS_ADOPTED
    serves = false
#else
    if :: moved -> serves = true :: else fi
#endif
  }
  reclaim();
  if :: resigned -> goto superseded :: else fi;
  if :: listen_said && !is_returning -> accepting = accepting | BIT(me) :: else fi;
  d_step {
    KNOW(me, frozen[me]);
    running[me] = running[me] | frozen[me];
    frozen[me] = 0;
    check();
    shut[s] = true;
#ifdef KEEPER
  }
  take_returns_on_spare(s);
spare_over:
  true;
  d_step {
    close_spare(me);
#endif
    successor[me] = NOBODY
  }

  goto rolled_back
}
