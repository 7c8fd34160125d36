#!/usr/bin/perl
# An answer that is too long for memory is sent from a file: byte for byte the same answer, over whatever carries it. Clients
# that do not read cost files, not memory; those that hang up leave no descriptor behind; and where no file can be written
# there is an error and never half an answer.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Uncompress::Gunzip ();
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(expect_log => [qr/a long answer cannot be written into a file in "[^"]*\/gone"/],
    http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store size=256m;
    scim_base_url http://id/scim;
    scim_temp_path %%DIR%%/inherited 1 2;
    server {
        listen 127.0.0.1:%%PORT1%% ssl %%HTTP2%%;
        ssl_certificate %%DIR%%/cert.pem;
        ssl_certificate_key %%DIR%%/key.pem;
        location /scim/ { scim main; }
    }
    server {
        listen 127.0.0.1:%%PORT2%%;
        sendfile on;
        location /scim/ { scim main; }
    }
EOC
    scim_temp_path %%DIR%%/answers;
    location /scim/ { scim main; gzip on; gzip_types application/scim+json; }
    location /gone/ { scim main; scim_base_url http://id/gone; scim_temp_path %%DIR%%/gone; }
EOS
is +($t->run('', qw(openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2), '-keyout', "$t->{dir}/key.pem",
    '-out', "$t->{dir}/cert.pem"))[0], 0, 'a certificate';
my $token = $t->seed('acme');
$t->start;
my $c = $t->client(token => $token, raw => 1);
my ($worker) = $t->workers;
my $mega = 1 << 20;

# Users whose names are long: 300 make an answer of 17 MiB, as 100,000 would otherwise. And as many that are not, for a group
# of more members than are shown by the event loop.
my ($long, $all) = (300, 520);
sub id_of { return $_[0]{body} =~ /"id":"([^"]+)"/ ? $1 : undef }
my @users = $t->concurrently(8, $all, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => '/scim/Users', json => Scim::user("u$i", displayName => $i < $long ? "$i " . 'x' x 60_000 : "n$i"));
    return { id => id_of($r), body => $r->{body} };
}, token => $token, raw => 1);
is scalar(grep $_->{id}, @users), $all, "$all users";

sub new_group {
    my ($name, @members) = @_;
    return $c->request(POST => '/scim/Groups', json => { displayName => $name, members => [map +{ value => $_->{id} }, @members] });
}

# What a group's answer must be: the same without members, and those.
sub expected {
    my ($group, @members) = @_;
    my $body = $c->request(GET => "/scim/Groups/$group?excludedAttributes=members")->{body};
    my $text = join ',', map {
        my $display = $_->{body} =~ /"displayName":("[^"]*")/ ? $1 : die;
        qq({"value":"$_->{id}","\$ref":"http://id/scim/Users/$_->{id}","display":$display,"type":"User"});
    } sort { $a->{id} cmp $b->{id} } @members;
    $body =~ s/(?=,"meta":)/,"members":[$text]/;
    return $body;
}

sub is_bytes {
    my ($got, $expected, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok $got eq $expected, $name or diag length($got), ' bytes, not ', length($expected), ': ', substr($got, 0, 300);
}

# --- a group, over everything that carries it

my $created = new_group('long', @users[0 .. $long - 1]);
is $created->{status}, 201, 'a group of long names';
my $group = id_of($created);
my $text = expected($group, @users[0 .. $long - 1]);
cmp_ok length $text, '>', 17 * $mega, 'is long';
is_bytes $created->{body}, $text, 'and shown when it is made';
my $url = "/scim/Groups/$group";
my $r = $c->request(GET => $url);
is "$r->{status} $r->{headers}{'content-length'}", '200 ' . length $text, 'GET: of known length';
is_bytes $r->{body}, $text, 'GET';
is $r->{headers}{etag}, $created->{headers}{etag}, 'with its ETag';
is $c->request(GET => $url, headers => { 'If-None-Match' => $r->{headers}{etag} })->{status}, 304, 'not modified';
is_bytes $t->client(token => $token, port => 2, raw => 1)->request(GET => $url)->{body}, $text, 'with sendfile';
$r = $c->request(HEAD => $url);
is "$r->{status} $r->{headers}{'content-length'} '$r->{body}'", '200 ' . length($text) . " ''", 'HEAD';
$r = $c->request(GET => $url, headers => { 'Accept-Encoding' => 'gzip' });
is $r->{headers}{'content-encoding'} // '', 'gzip', 'gzip';
IO::Uncompress::Gunzip::gunzip(\$r->{body}, \my $plain);
is_bytes $plain // '', $text, 'unpacked';
is_bytes $t->client(token => $token, port => 1, tls => 1, raw => 1)->request(GET => $url)->{body}, $text, 'TLS';
my (undef, $out) = $t->run('', qw(curl -sSk --http2 -m 30 -w %{http_version}), '-H', "Authorization: Bearer $token",
    'https://127.0.0.1:' . $t->port(1) . $url);
is_bytes $out, "${text}2", 'HTTP/2';

# --- lists

my @sorted = sort { $a->{id} cmp $b->{id} } @users;
sub list {
    my @resources = @_;
    my $n = @resources;
    return '{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":' . $n
        . qq(,"startIndex":1,"itemsPerPage":$n,"Resources":[) . join(',', @resources) . ']}';
}
my %shown = map { $_ => $c->request(GET => "/scim/Users/$_")->{body} } map $_->{id}, @users;
is_bytes $c->request(GET => '/scim/Users?count=1000')->{body}, list(map $shown{ $_->{id} }, @sorted), 'a list of users';
is_bytes $c->request(GET => '/scim/Users?count=1000&filter=displayName+co+"xx"&excludedAttributes=groups')->{body},
    list(map { $c->request(GET => "/scim/Users/$_->{id}?excludedAttributes=groups")->{body} }
        grep $_->{body} =~ /x{9}/, @sorted), 'those whom a filter finds';
my @pair = map $c->request(GET => "/scim/Groups/$_")->{body}, sort(map { id_of(new_group("pair $_", @users[0 .. 99])) } 0, 1);
is_bytes $c->request(GET => '/scim/Groups?filter=displayName+sw+"pair"')->{body}, list(@pair), 'groups of many';

# --- writes that show much

my $big = new_group('all', @users[0 .. $all - 2]);
$big = id_of($big);
my $add = { Operations => [{ op => 'add', path => 'members', value => [{ value => $users[-1]{id} }] }] };
my $patched = $c->request(PATCH => "/scim/Groups/$big?attributes=members,displayName,meta", json => $add);
is $patched->{status}, 200, 'a PATCH that shows its members';
is_bytes $patched->{body}, expected($big, @users), 'all of them';
is_bytes $patched->{body}, $c->request(GET => "/scim/Groups/$big")->{body}, 'as GET does';

# --- clients that do not read

# Files without a name that the worker has open below a directory.
sub files {
    my ($where) = @_;
    return scalar grep m{^\Q$t->{dir}\E/$where/.* \(deleted\)$}, map readlink($_) // '', glob "/proc/$worker/fd/*";
}
sub anonymous {
    return Scim::_slurp("/proc/$worker/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 / 1024 : die 'no RssAnon';
}
sub wait_for_files {
    my ($where, $n, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok $t->wait_for(sub { files($where) == $n }, 20), $name or diag files($where), ' files';
}
wait_for_files('answers', 0, 'no file is left');
is_deeply [glob "$t->{dir}/{answers,inherited}/*"], [], 'and none has a name';
my $before = anonymous();
my @slow = map $t->client(token => $token, raw => 1), 1 .. 20;
$_->send(GET => $url) for @slow;
wait_for_files('answers', 20, 'twenty clients wait for twenty files');
# What a sanitizer keeps aside of freed memory counts, too.
cmp_ok anonymous() - $before, '<', $ENV{TEST_NGINX_PRELOAD} ? 128 : 32, 'but not for 340 MiB of memory' or diag "$before MiB before";
my @others = map $t->client(token => $token, port => 2, raw => 1), 1 .. 2;
$_->send(GET => $url) for @others;
wait_for_files('inherited', 2, 'the path is inherited; levels make no directories');
is_bytes $_->receive->{body}, $text, 'a client that reads at last gets it all' for @slow[0, 1], $others[0];
$_->close for @slow, @others;
wait_for_files($_, 0, "those that hang up leave no file in $_") for qw(answers inherited);
for (1 .. 3) {
    my @hasty = map $t->client(token => $token), 1 .. 10;
    $_->send(GET => $url) for @hasty;
    $_->close for @hasty;
}
is $c->request(GET => '/scim/Users?count=1')->{status}, 200, 'it goes on';
wait_for_files('answers', 0, 'those that do not even wait leave none either');

# --- answers of one batch that are long together, though none is too long for memory: others have their turn between them

my $heavy = $c->request(POST => '/scim/Users', json => Scim::user('heavy', x509Certificates => [{ value => 'QUJD' x 225_000 }]));
my $lock = $t->hold_lock;
my @writers = map $t->client(token => $token), 1 .. 16;
$writers[$_]->send(PATCH => "/scim/Users/" . id_of($heavy), json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'replace', path => 'title', value => "t$_" }] }) for 0 .. $#writers;
is $c->request(GET => '/scim/Users?count=1')->{status}, 200, 'while sixteen writes wait';
$t->release($lock);
my @answers = map $_->receive, @writers;
is join(' ', map $_->{json}{title}, @answers), join(' ', map "t$_", 0 .. $#writers), 'each is answered, whole';
is scalar(grep length $_->{body} > 900_000, @answers), 16, 'with 900 kB';

# --- no file can be written

my $s = $t->client(token => $token);
rmdir "$t->{dir}/gone" or die "rmdir: $!";
(my $gone = $url) =~ s/scim/gone/;
my $cannot = qr/the answer is too long for memory, and the file that takes it instead cannot be written/;
is_error $r = $s->request(GET => $gone), 503, '', qr/^$cannot/, 'no directory for the file';
is $r->{headers}{'retry-after'}, 60, 'with Retry-After';
ok !exists $r->{headers}{etag}, 'and without an ETag';
is_error $s->request(GET => '/gone/Users?count=1000'), 503, '', qr/^$cannot/, 'a list';
$r = $s->request(PUT => "/gone/Groups/" . id_of({ body => $pair[0] }), json => { displayName => 'changed',
    members => [map +{ value => $_->{id} }, @users[0 .. 49]] });
is "$r->{status} $r->{body}", '204 ', 'a write is done, and answered without a body';
ok exists $r->{headers}{etag}, 'with its ETag';
ok $t->wait_log(qr/\[error\].*the change is made, but it cannot be shown: $cannot/), 'the log says so';
is $s->request(GET => '/scim/Groups?filter=displayName+eq+"changed"')->{json}{totalResults}, 1, 'as it is';
is $s->request(GET => "/gone/Users/$users[-1]{id}")->{status}, 200, 'what fits into memory needs no file';
ok $t->wait_log(qr/\[crit\].*a long answer cannot be written into a file in ".*\/gone" \(2: No such file or directory\)/), 'the log says why';
mkdir "$t->{dir}/gone", 0700 or die "mkdir: $!";
is $c->request(GET => $gone)->{status}, 200, 'mended';

$t->finish;
