"""HTTP over the services: routes that authorise, make one call and return. No SQL, no rules of their own."""
