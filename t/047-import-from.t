#!/usr/bin/perl
# scimctl import --from copies all users, devices and groups of another SCIM server, by cursor and by startIndex: with
# --keep-ids the export of the copy has the same bytes, without it references follow the new ids. The token is sent to that
# server alone. A server that answers wrongly ends the command with the URL, the status and the reason.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Scim;
use Scim::Examples;

my $json = $Scim::json;
my $http = Scim::Examples::slurp('custom-types.conf');
my ($core, $enterprise) =
    ('urn:ietf:params:scim:schemas:core:2.0:', 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User');

# --- the other server: over TLS with a certificate of its own CA, and in /index/ without ServiceProviderConfig

my ($remote) = Scim::Examples::start(<<"EOH", server => <<'EOS', files => \&certificates);
$http
server {
    listen 127.0.0.1:%%PORT9%% ssl;
    ssl_certificate %%DIR%%/server.pem;
    ssl_certificate_key %%DIR%%/server.key;
    location /scim/v2/ { scim main; }
}
EOH
    location /scim/v2/ { scim main; }
    location /index/ { scim main; }
    location = /index/ServiceProviderConfig { return 404; }
EOS

sub certificates {
    my ($dir) = @_;
    my $new = 'openssl req -x509 -newkey rsa:2048 -nodes -days 2';
    for ("$new -subj /CN=ca -keyout $dir/ca.key -out $dir/ca.pem",
        "$new -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE "
        . "-CA $dir/ca.pem -CAkey $dir/ca.key -keyout $dir/server.key -out $dir/server.pem")
    {
        my $said = qx($_ 2>&1);
        $? == 0 or die $said;
    }
    return;
}

my $token = $remote->token($remote->tenant('acme'));
$remote->served('/scim/v2/Users', token => $token);
my $c = $remote->client(token => $token);
my ($plain, $index) = map 'http://127.0.0.1:' . $remote->port . $_, '/scim/v2', '/index';
my $tls = 'https://localhost:' . $remote->port(9) . '/scim/v2';

sub create {
    my ($path, $body) = @_;
    my $r = $c->request(POST => "/scim/v2/$path", json => $body);
    $r->{status} == 201 or die "create: $r->{status} $r->{body}";
    return $r->{json}{id};
}
sub group {
    my ($name, @members) = @_;
    return { schemas => ["${core}Group"], displayName => $name, members => [map +{ value => $_ }, @members] };
}

my @users;
push @users, create('Users', Scim::user("user$_", displayName => "B\x{f6}ss $_", schemas => ["${core}User", $enterprise],
    $enterprise => { department => 'R&D', $_ > 1 ? (manager => { value => $users[0] }) : () })) for 1 .. 260;
my $first_managed = $c->request(PATCH => "/scim/v2/Users/$users[0]", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'add', path => "$enterprise:manager", value => { value => $users[259] } }] });
is $first_managed->{status}, 200, 'a user has a manager on a later page' or diag $first_managed->{body};
my $device = create('Devices', { schemas => ["${core}Device"], displayName => 'Lamp', active => JSON::PP::true });
my @groups = map create('Groups', group("Group $_", $users[$_])), 1 .. 24;
create('Groups', group('All', @users, $device, $groups[0]));

# --- the copy

my ($t) = Scim::Examples::start($http, server => 'location /scim/v2/ { scim main; }');
$t->served('/scim/v2/Users', token => $t->token($t->tenant('acme')));
my $token_file = $t->write_file('token', "$token\n");
my @token = ('--token-file', $token_file);

sub exported {
    my ($tenant, $of) = @_;
    my ($exit, $out, $err) = ($of // $t)->scimctl('export', '--tenant', $tenant);
    $exit == 0 or die "export: $exit: $err";
    return $out;
}
# Imports with --json into a new tenant: (exit code, counts, stderr).
my $tenants = 0;
sub import_new {
    my @options = @_;
    my $tenant = $t->tenant('t' . ++$tenants);
    my ($exit, $out, $err) = $t->scimctl('--json', 'import', '--tenant', $tenant, @options);
    return ($exit, $out ne '' ? $json->decode($out) : undef, $err);
}
sub newest { return exported("t$tenants") }
sub counts_are {
    my ($want, $name, @got) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $counts, $err) = @got;
    my %got = map { $_ => $counts->{$_} } grep $counts->{$_} && !ref $counts->{$_}, keys %{ $counts // {} };
    is_deeply [$exit, \%got], $want, $name or diag $err;
    return;
}
sub is_sound {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $out) = $t->scimctl('verify');
    is $exit, 0, 'verify finds no problem' or diag $out;
    return;
}

my $original = exported('acme', $remote);
my $all = 260 + 1 + 25;
for ([$plain, 'by cursor'], ["$index/", 'by startIndex']) {
    my ($from, $how) = @$_;
    counts_are([0, { created => $all }], "$how: --dry-run finds all resources", import_new('--dry-run', '--from', $from, @token));
    is newest(), '', "$how: --dry-run writes nothing";
    counts_are([0, { created => $all }], "$how: --keep-ids copies all resources", import_new('--keep-ids', '--from', $from, @token));
    is newest(), $original, "$how: the export of the copy has the same bytes";
    counts_are([0, { created => $all }], "$how: all resources are copied", import_new('--from', $from, @token));
    my %id;
    my @pairs = map [map $json->decode($_), split /\n/], newest(), $original;
    my @named = map { my %by; $by{ $_->{userName} // $_->{displayName} } = $_ for @$_; \%by } @pairs;
    $id{ $named[0]{$_}{id} } = $named[1]{$_}{id} for keys %{ $named[0] };
    is scalar(grep $_ eq $id{$_}, keys %id), 0, "$how: without --keep-ids every resource has a new id";
    my $mapped = newest() =~ s/[0-9a-f]{8}-[0-9a-f-]{27}/$id{$&} \/\/ $&/ger;
    my $normal = sub {
        return [sort map {
            my $r = $json->decode($_);
            delete @{ $r->{meta} }{qw(created lastModified)};
            $r->{members} = [sort { $a->{value} cmp $b->{value} } @{ $r->{members} }] if $r->{members};
            $json->encode($r);
        } split /\n/, $_[0]];
    };
    is_deeply $normal->($mapped), $normal->($original), "$how: and members and managers follow the new ids";
}
is_sound();
my @again = ('--tenant', "t$tenants", '--from', $plain, @token);
is +($t->scimctl('import', @again))[0], 1, 'the same copy again is refused';
my ($exit, $out, $err) = $t->scimctl(qw(--json import --on-conflict skip), @again);
counts_are([0, { skipped => $all - 1, created => 1 }], '--on-conflict skip skips what is there, but for the device, which has no unique value', $exit, $json->decode($out), $err);

# --- TLS and the token

my $ca = "$remote->{dir}/ca.pem";
counts_are([0, { created => $all }], 'over TLS with --ca', import_new('--from', $tls, @token, '--ca', $ca));
($exit, undef, $err) = $t->scimctl(qw(import --tenant acme --from), $tls, @token);
is $exit, 1, 'without --ca the certificate is not trusted';
like $err, qr{^scimctl: GET \Q$tls\E/ServiceProviderConfig: .*certificate}m, 'the error says so';
($exit, undef, $err) = $t->scimctl(qw(import --tenant acme --from), $tls =~ s/localhost/127.0.0.1/r, @token, '--ca', $ca);
is $exit, 1, 'a certificate for another name is refused' or diag $err;
{
    local $ENV{SCIM_REMOTE_TOKEN} = $token;
    is +($t->scimctl(qw(import --dry-run --tenant acme --from), $plain))[0], 0, 'the token may be in SCIM_REMOTE_TOKEN';
    is +($t->scimctl(qw(import --dry-run --tenant acme --from), $plain, qw(--token wrong)))[0], 1, '--token has precedence';
}
is +($t->scimctl(qw(import --dry-run --tenant acme --from), $plain, '--token', $token))[0], 0, 'or the value of --token';
is +($t->scimctl({ stdin => "$token\n" }, qw(import --dry-run --tenant acme --from), $plain, qw(--token -)))[0], 0, 'or on stdin';
($exit, undef, $err) = $t->scimctl(qw(import --tenant acme --token wrong --from), $plain);
is $exit, 1, 'a wrong token is refused';
like $err, qr{^scimctl: GET \Q$plain\E/ServiceProviderConfig: status 401: ".+"$}m, 'the error has the URL, the status and the detail of the server';

# --- a server that answers wrongly

my ($requests, @fakes) = ("$t->{dir}/requests");
END { kill KILL => @fakes if @fakes && defined $requests }

# Starts a server, and returns its base URL. It writes each request line and token to the file "requests". The code gets the
# path with the query and the number of requests for the same path, and returns the status, the body and header lines.
sub fake {
    my ($answer) = @_;
    my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "listen: $!";
    unlink $requests;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my %seen;
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
        while (my $client = $listener->accept) {
            my $head = '';
            while ($head !~ /\r\n\r\n/) { sysread $client, $head, 4096, length $head or last }
            my ($path) = $head =~ m{\AGET (\S+) HTTP} or next;
            open my $f, '>>', $requests or POSIX::_exit(1);
            print $f "$path ", $head =~ /^Authorization: (.*?)\r$/m, "\n";
            close $f;
            my ($status, $body, @lines) = $answer->($path, ++$seen{$path});
            unshift @lines, 'Content-Length: ' . length $body unless grep /^Content-Length/, @lines;
            print $client join "\r\n", "HTTP/1.1 $status X", @lines, 'Connection: close', '', $body;
            close $client;
        }
        POSIX::_exit(0);
    }
    push @fakes, $pid;
    return 'http://127.0.0.1:' . $listener->sockport;
}
sub requests { return Scim::_slurp($requests) =~ s/ Bearer secret$//mgr }

sub list {
    my ($total, $first, $last, %more) = @_;
    return $json->encode({ totalResults => $total, Resources => [map { { %{ Scim::user("u$_") }, id => "r$_" } } $first .. $last], %more });
}
# A server with users only; the code gets startIndex, count and the number of requests for the same page.
sub users {
    my ($answer) = @_;
    return fake(sub {
        my ($path, $times) = @_;
        my ($start, $count) = $path =~ m{\A/Users\?startIndex=(\d+)&count=(\d+)\z} or return (404, '');
        return $answer->($start, $count, $times);
    });
}
my @secret = qw(--token secret);
# Copies from a server: (exit code, stdout and stderr).
sub copy {
    my ($from, @options) = @_;
    my $tenant = $t->tenant('t' . ++$tenants);
    my ($exit, $out, $err) = $t->scimctl('import', '--tenant', $tenant, '--from', $from, @secret, @options);
    return ($exit, $out . $err);
}
sub fails {
    my ($from, $why, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $said) = copy($from);
    like "$exit $said", qr/^1 .*^scimctl: GET \Q$from\E$why$/ms, $name;
    is newest(), '', '… and nothing is written';
    return;
}
my $users_1 = '/Users?startIndex=1&count=100';

counts_are([0, { created => 20 }], 'a server without ServiceProviderConfig, ResourceTypes and Groups is copied',
    import_new('--from', users(sub { my $end = $_[0] + 6; return (200, list(20, $_[0], $end < 20 ? $end : 20)) }), @secret));
is requests(), join('', map "$_\n", '/ServiceProviderConfig', '/ResourceTypes', map("/Users?startIndex=$_&count=100", 1, 8, 15),
    '/Groups?startIndex=1&count=10'), 'pages that are shorter than asked for are followed to totalResults';

counts_are([0, { created => 12 }], 'a server whose totalResults is that of the page is copied to an empty page',
    import_new('--from', users(sub { my $end = $_[0] + 4 < 12 ? $_[0] + 4 : 12; return (200, list($end - $_[0] + 1, $_[0], $end)) }), @secret));
is requests(), join('', map "$_\n", '/ServiceProviderConfig', '/ResourceTypes', map("/Users?startIndex=$_&count=100", 1, 6, 11, 13),
    '/Groups?startIndex=1&count=10'), '… which is asked for';
for my $status (400, 404) {
    counts_are([0, { created => 3 }], "a server that answers with $status after its last resource is copied",
        import_new('--from', users(sub { return $_[0] == 1 ? (200, list(3, 1, 3)) : ($status, '') }), @secret));
}

my $from = users(sub { return $_[2] < 10 ? (429, '', 'Retry-After: 0') : (200, list(1, 1, 1)) });
($exit, $out) = copy($from);
is $exit, 0, 'a request that is refused nine times with Retry-After is repeated';
like $out, qr{^scimctl: GET \Q$from$users_1\E: status 429; trying again in 0 s \(10 of 10 tries\)$}m, 'which is said';
fails users(sub { return (503, $json->encode({ detail => 'busy' }), 'Retry-After: 0') }), qr{\Q$users_1\E: status 503: "busy"}, 'ten refusals are an error';
is scalar(() = requests() =~ /^\Q$users_1\E$/mg), 10, '… after ten requests';
fails users(sub { return (429, '') }), qr{\Q$users_1\E: status 429}, 'a refusal without Retry-After is an error';
is scalar(() = requests() =~ /^\Q$users_1\E$/mg), 1, '… after one request';

fails users(sub { return $_[0] == 1 ? (200, list(200, 1, 100)) : (500, $json->encode({ detail => "out\nof order" })) }),
    qr{/Users\?startIndex=101&count=100: status 500: "out\?of order"}, 'an error of the server has its URL, status and detail';
fails users(sub { return (404, '') }), qr{\Q$users_1\E: status 404}, 'a server without users is refused';
fails users(sub { return (200, '{"totalResults":', 'Content-Length: 9999') }), qr{\Q$users_1\E: .*\d+ bytes.*}, 'a truncated body is an error';
fails users(sub { return (200, '{"totalResults":') }), qr{\Q$users_1\E: .*JSON.*}, 'so is invalid JSON';
fails users(sub { return (200, list(250, 1, 100)) }),
    qr{/Users\?startIndex=101&count=100: the server sends the same resources again: it ignores "startIndex"},
    'a server that ignores startIndex is refused';
fails fake(sub { return (200, '<html>') }), qr{/ServiceProviderConfig: .*JSON.*}, 'a page of HTML as ServiceProviderConfig is refused';
fails fake(sub { return $_[0] eq '/ResourceTypes' ? (200, '{"Resources":[{"endpoint":"https://example.com/Users"}]}') : (404, '') }),
    qr{/ResourceTypes: a resource type has the endpoint "https://example.com/Users", which is not below the URL of the server},
    'an endpoint at another server is refused';

my $other = fake(sub { return (200, list(1, 1, 1)) });
fails users(sub { return (302, '', "Location: $other/Users") }),
    qr{\Q$users_1\E: status 302; redirects are not followed, so that the token is sent to no other server}, 'a redirect is refused';
unlike requests(), qr/^\Q$users_1\E$.*^\Q$users_1\E$/ms, '… and the other server is not asked';
is scalar(() = requests() =~ /\n/g), 3, '… there are three requests in all';

# A list of users in a body of `$size` bytes.
sub padded { my ($size, $text) = @_; return $text . ' ' x ($size - length $text) }
my $most = 64 << 20;
counts_are([0, { created => 1 }], 'a page of 64 MiB is taken', import_new('--from', users(sub { return (200, padded($most, list(1, 1, 1))) }), @secret));
counts_are([0, { created => 20 }], 'after a longer one, fewer resources are asked for',
    import_new('--from', users(sub { return (200, $_[1] == 100 ? padded($most + 1, list(20, 1, 20)) : list(20, $_[0], $_[0] + 9)) }), @secret));
is requests(), join('', map "$_\n", '/ServiceProviderConfig', '/ResourceTypes', $users_1, map("/Users?startIndex=$_&count=10", 1, 11),
    '/Groups?startIndex=1&count=10'), '… ten at once';
fails users(sub { return (200, padded($most + 1, list(1, 1, 1))) }), qr{/Users\?startIndex=1&count=1: the answer is longer than 64 MiB},
    'a longer page of one resource is an error';

($exit, $out) = copy(users(sub { return $_[0] == 1 ? (200, list(9, 1, 7)) : (200, list(9, 1, 0)) }));
is $exit, 1, 'resources that the server counts and does not send are an error';
like $out, qr{^7 created, 2 not sent by the server\.$}m, 'they are counted';
like $out, qr{^scimctl: /Users: the server has not sent 2 of the resources}m, 'and reported with their type';

($exit, $out) = copy(users(sub { return (200, list(2, 1, 2) =~ s/"userName":"u2"/"costCentre":7/r) }));
is $exit, 1, 'a record that is refused is an error';
like $out, qr{^scimctl: record 2: .*userName}m, 'it has its number';
like $out, qr{^1 created, 1 refused\.}m, 'the others are imported';

# --- an interrupted copy

# 9,100 users, of whom the last page is refused once. The code gets the list and the number of requests for the page.
sub broken {
    my ($change) = @_;
    return users(sub {
        my ($start, undef, $times) = @_;
        return (500, '') if $start == 9001 && $times == 1;
        return (200, $change->(list(9100, $start, $start + ($start == 9001 ? 99 : 2999)), $times));
    });
}
$from = broken(sub { return $_[0] });
($exit, $out) = copy($from);
like "$exit $out", qr/^1 8,192 created\..*startIndex=9001&count=100: status 500$/ms, 'an error ends the copy; what is written stays';
my @same = (qw(import --tenant), "t$tenants", '--from', $from, @secret);
($exit, $out, $err) = $t->scimctl(@same);
is "$exit $out", "0 908 created.\n", 'the same command copies the rest';
like $err, qr/^scimctl: continues the interrupted import after record 8,192$/m, 'it says where it continues';
is newest() =~ tr/\n//, 9100, 'all users are there once';

$from = broken(sub { return $_[0] =~ s/"u2"/$_[1] > 1 ? '"changed"' : '"u2"'/er });
copy($from);
@same = (qw(import --tenant), "t$tenants", '--from', $from, @secret);
($exit, $out, $err) = $t->scimctl(@same);
is $exit, 1, 'it is refused if the server has changed what is copied already';
like $err, qr/^scimctl: the input differs from that of the interrupted import within its first 8192 lines;/m, 'which is said';
($exit, $out, $err) = $t->scimctl(@same, qw(--on-conflict skip));
is "$exit $out", "0 909 created, 8,191 skipped.\n", 'with --on-conflict skip the rest is copied';
is_sound();

# --- usage

for (
    ['must be https', '--from', 'http://192.0.2.1/scim/v2', @secret], ['must be https', '--from', 'http://127.example.com/scim/v2', @secret],
    ['must be https', '--from', 'http://localhost.example.com', @secret],
    ['is not like https://host/scim/v2', '--from', 'host/scim', @secret], ['must not have a user', '--from', 'https://me@localhost/', @secret],
    ['must not have a query', '--from', 'https://localhost/?a=b', @secret], ['is not like', '--from', 'https://localhost/a b', @secret],
    ['must be https', '--from', 'ftp://localhost/', @secret],
    ['--from needs a token', '--from', $plain], ['--from needs a token', '--from', $plain, '--token-file', $t->write_file('empty', "\n")],
    ['printable ASCII characters without blanks', '--from', $plain, '--token', "a\r\nX: y"],
    ['printable ASCII', '--from', $plain, '--token', 'x' x 16385],
    ['is longer than 16384 bytes', '--from', $plain, '--token-file', $t->write_file('long', 'x' x 16385)],
    ['cannot open "nosuch"', '--from', $plain, qw(--token-file nosuch)], ['cannot open "nosuch"', '--from', $plain, @secret, qw(--ca nosuch)],
    ['"\S+" is empty', '--from', $plain, @secret, '--ca', $t->write_file('no.pem', '')],
    ['excludes --from', '--from', $plain, @secret, $token_file], ['--token.*requires.*--from', @secret, $token_file],
    ['--token.*excludes', '--from', $plain, @secret, @token],
) {
    my ($why, @options) = @$_;
    ($exit, undef, $err) = $t->scimctl(qw(import --tenant acme), @options);
    like "$exit $err", qr/\A2 scimctl: .*$why/, "usage: $why";
}
is +($t->scimctl(qw(import --dry-run --tenant acme --from), users(sub { return (200, list(0, 1, 0)) }), '--token', 'x' x 16384))[0], 0,
    'a token of 16,384 characters is sent';
like requests(), qr/^\Q$users_1\E Bearer x{16384}$/m, '… as it is';
($exit, undef, $err) = $t->scimctl(qw(import --tenant amce --from), users(sub { return (200, list(0, 1, 0)) }), @secret);
like "$exit $err", qr/\A1 scimctl: there is no tenant "amce"/, 'without the tenant';
is requests(), '', '… the server is not asked';

kill KILL => splice @fakes;
ok $remote->quit, 'the other server ends';
is join('', $remote->complaints), '', 'and has no complaints';
$t->finish;
