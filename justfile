# Every fuzz target for so many seconds of a processor, `jobs` of them at a time; see fuzz/long.sh.
fuzz-long seconds="3600" jobs="1":
    fuzz/long.sh -j {{jobs}} {{seconds}}
