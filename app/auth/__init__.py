"""Who somebody is and what they may do: passwords, tokens, and the policy table. No SQL, no HTTP."""
