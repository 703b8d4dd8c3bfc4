from jouline.cli.main import main

raise SystemExit(main())
