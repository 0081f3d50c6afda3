# MIMEDefang's filter that comes nearest to what Woomera does: large parts go to a folder, a URL comes in
# their place. Written after mimedefang-filter(5); it runs inside mimedefang.pl, which calls the functions.

use File::Basename qw(dirname);

my $parts = dirname(__FILE__) . "/parts";
my $large_bytes = 1_000_000;

sub filter {
    my ($entity) = @_;
    my $body = $entity->bodyhandle;
    if (defined($body) && -s $body->path > $large_bytes) {
        return action_replace_with_url($entity, $parts, "https://mail.example.com/parts",
            "This file was too large to be mailed. It is at\n_URL_\n");
    }
    return action_accept();
}

sub filter_multipart {
    return action_accept();
}

1;
