package Scim::Frozen;

# Stores of released versions, which every later version reads: t/data/store-VERSION contains
#
#     store.gz        the output of mdb_dump -a, compressed
#     schema.json     the file of scim_schema that the store was made with
#     answers.json    what a server and scimctl say of the store: { name: text of the answer }
#
# t/tools/freeze-store makes such a directory; t/074-frozen-stores.t reads all of them.

use strict;
use warnings;
use Carp qw(croak);
use Exporter 'import';
use Scim;

our @EXPORT_OK = qw(frozen_parts frozen_answers slurp);

# The parts of the configuration (Scim->new). Nothing is trimmed from the log.
sub frozen_parts {
    my ($dir) = @_;
    return (http => <<"EOH", server => <<'EOS');
    scim_schema $dir/schema.json;
    scim_store main %%DIR%%/store size=64m;
    scim_log_retention 100y;
    scim_index User name.familyName;
EOH
    location /scim/v2 { scim main; scim_base_url https://frozen.example/scim/v2; }
    location /open { scim main; scim_auth off; scim_tenant acme; scim_base_url https://frozen.example/open; }
EOS
}

sub slurp {
    my ($file) = @_;
    open my $f, '<', $file or croak "$file: $!";
    local $/;
    return <$f>;
}

# What the running server and scimctl say: { question: JSON texts, a line each }
sub frozen_answers {
    my ($t) = @_;
    my %answers;
    for my $query (
        '/Users?filter=userName%20eq%20%22ADA@example.com%22', '/Users?filter=name.familyName%20sw%20%22lov%22', '/Users?startIndex=130&count=20',
        '/Users?filter=active%20eq%20false&attributes=userName,active', '/Users?filter=emails.value%20eq%20%22ada@example.org%22',
        '/Users?sortBy=name.familyName&count=5', '/Groups', '/Groups?filter=members.display%20eq%20%22bob%22', '/Schemas', '/ResourceTypes',
    ) {
        my $r = $t->request(GET => "/open$query");
        $r->{status} == 200 or croak "GET $query: $r->{status} $r->{body}";
        $answers{"GET $query"} = $r->{body};
    }
    for my $command (
        'tenant list', 'token list --tenant acme', 'export --tenant acme', 'export --tenant globex', 'log --tenant acme --limit 100000',
        'log --tenant globex', 'user show --tenant acme blocked', 'user show --tenant acme revoked', 'user show --tenant acme inactive', 'index list',
    ) {
        my ($exit, $out, $err) = $t->scimctl(split(/ /, $command), '--json');
        $exit == 0 or croak "scimctl $command: $exit $out$err";
        $answers{"scimctl $command"} = $out;
    }
    utf8::decode($_) for values %answers;
    return \%answers;
}

1;
