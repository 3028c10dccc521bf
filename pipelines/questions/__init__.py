"""Questions of written evaluations (Perez et al., 2022): read, written by templates or by a server, published."""
