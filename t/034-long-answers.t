# A response of more than 1 MiB is sent from a temporary file, unchanged: over plain HTTP, sendfile, gzip, TLS and HTTP/2.
# Clients that do not read occupy files and not memory; clients that disconnect leave no descriptor open; where no file can
# be written the answer is an error and never a part of the response.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Uncompress::Gunzip ();
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(expect_log => [qr/cannot write a long response to a file in "[^"]*\/gone"/],
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
    '-out', "$t->{dir}/cert.pem"))[0], 0, 'openssl makes a certificate';
my $token = $t->seed('acme');
$t->start;
my $c = $t->client(token => $token, raw => 1);
my ($worker) = $t->workers;
my $mebibyte = 1 << 20;

# 300 users with long names make a response of 17 MiB, as 100,000 users with usual names would. 220 users with short names
# make a group of more members than the event loop renders.
my ($long, $all) = (300, 520);
sub id_of { return $_[0]{body} =~ /"id":"([^"]+)"/ ? $1 : undef }
my @users = $t->concurrently(8, $all, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => '/scim/Users', json => Scim::user("u$i", displayName => $i < $long ? "$i " . 'x' x 60_000 : "n$i"));
    return { id => id_of($r), body => $r->{body} };
}, token => $token, raw => 1);
is scalar(grep $_->{id}, @users), $all, "$all users are created";

sub new_group {
    my ($name, @members) = @_;
    return $c->request(POST => '/scim/Groups', json => { displayName => $name, members => [map +{ value => $_->{id} }, @members] });
}

# The expected representation of a group: the one without members, with these members inserted.
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

# --- a group over all transports

my $created = new_group('long', @users[0 .. $long - 1]);
is $created->{status}, 201, 'POST of a group with long names is answered with 201';
my $group = id_of($created);
my $text = expected($group, @users[0 .. $long - 1]);
cmp_ok length $text, '>', 17 * $mebibyte, 'the representation of the group is longer than 17 MiB';
is_bytes $created->{body}, $text, 'the long answer to POST has all members';
my $url = "/scim/Groups/$group";
my $r = $c->request(GET => $url);
is "$r->{status} $r->{headers}{'content-length'}", '200 ' . length $text, 'a long answer to GET is 200 with Content-Length';
is_bytes $r->{body}, $text, 'a long answer to GET has all members';
is $r->{headers}{etag}, $created->{headers}{etag}, 'a long answer to GET has the ETag of the POST';
is $c->request(GET => $url, headers => { 'If-None-Match' => $r->{headers}{etag} })->{status}, 304,
    'GET of a long group with its ETag in If-None-Match is answered with 304';
is_bytes $t->client(token => $token, port => 2, raw => 1)->request(GET => $url)->{body}, $text,
    'a long answer is unchanged with sendfile';
$r = $c->request(HEAD => $url);
is "$r->{status} $r->{headers}{'content-length'} '$r->{body}'", '200 ' . length($text) . " ''",
    'HEAD of a long group has the Content-Length of GET and no body';
$r = $c->request(GET => $url, headers => { 'Accept-Encoding' => 'gzip' });
is $r->{headers}{'content-encoding'} // '', 'gzip', 'a long answer is compressed with gzip';
IO::Uncompress::Gunzip::gunzip(\$r->{body}, \my $plain);
is_bytes $plain // '', $text, 'a long answer is unchanged after gunzip';
is_bytes $t->client(token => $token, port => 1, tls => 1, raw => 1)->request(GET => $url)->{body}, $text,
    'a long answer is unchanged over TLS';
my (undef, $out) = $t->run('', qw(curl -sSk --http2 -m 30 -w %{http_version}), '-H', "Authorization: Bearer $token",
    'https://127.0.0.1:' . $t->port(1) . $url);
is_bytes $out, "${text}2", 'a long answer is unchanged over HTTP/2';

# --- lists

my @sorted = sort { $a->{id} cmp $b->{id} } @users;
sub list {
    my @resources = @_;
    my $n = @resources;
    return '{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":' . $n
        . qq(,"startIndex":1,"itemsPerPage":$n,"Resources":[) . join(',', @resources) . ']}';
}
my %shown = map { $_ => $c->request(GET => "/scim/Users/$_")->{body} } map $_->{id}, @users;
is_bytes $c->request(GET => '/scim/Users?count=1000')->{body}, list(map $shown{ $_->{id} }, @sorted),
    'a long list has the users as GET returns each of them';
is_bytes $c->request(GET => '/scim/Users?count=1000&filter=displayName+co+"xx"&excludedAttributes=groups')->{body},
    list(map { $c->request(GET => "/scim/Users/$_->{id}?excludedAttributes=groups")->{body} }
        grep $_->{body} =~ /x{9}/, @sorted), 'a long filtered list has the matching users as GET returns each of them';
my @pair = map $c->request(GET => "/scim/Groups/$_")->{body}, sort(map { id_of(new_group("pair $_", @users[0 .. 99])) } 0, 1);
is_bytes $c->request(GET => '/scim/Groups?filter=displayName+sw+"pair"')->{body}, list(@pair),
    'a list of groups with many members has the groups as GET returns each of them';

# --- writes with a long answer

my $big = new_group('all', @users[0 .. $all - 2]);
$big = id_of($big);
my $add = { Operations => [{ op => 'add', path => 'members', value => [{ value => $users[-1]{id} }] }] };
my $patched = $c->request(PATCH => "/scim/Groups/$big?attributes=members,displayName,meta", json => $add);
is $patched->{status}, 200, 'PATCH with members in "attributes" is answered with 200';
is_bytes $patched->{body}, expected($big, @users), 'the long answer to PATCH has all members';
is_bytes $patched->{body}, $c->request(GET => "/scim/Groups/$big")->{body},
    'the long answer to PATCH is the same as the answer to GET';

# --- clients that do not read

# The number of unlinked files below a directory that the worker has open.
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
wait_for_files('answers', 0, 'no temporary file is open after the responses have been sent');
is_deeply [glob "$t->{dir}/{answers,inherited}/*"], [], 'the temporary directories are empty';
my $before = anonymous();
my @slow = map $t->client(token => $token, raw => 1), 1 .. 20;
$_->send(GET => $url) for @slow;
wait_for_files('answers', 20, 'twenty clients that do not read occupy twenty files');
# A sanitizer keeps freed memory in quarantine, which counts here.
cmp_ok anonymous() - $before, '<', $ENV{TEST_NGINX_PRELOAD} ? 128 : 32,
    'twenty unread responses of 17 MiB occupy less than 32 MiB of memory (128 MiB with a sanitizer)'
        or diag "$before MiB before";
my @others = map $t->client(token => $token, port => 2, raw => 1), 1 .. 2;
$_->send(GET => $url) for @others;
wait_for_files('inherited', 2, 'scim_temp_path is inherited, and its levels make no directories');
is_bytes $_->receive->{body}, $text, 'a client that reads late gets the whole response' for @slow[0, 1], $others[0];
$_->close for @slow, @others;
wait_for_files($_, 0, "no file in $_ is open after its clients have disconnected") for qw(answers inherited);
for (1 .. 3) {
    my @hasty = map $t->client(token => $token), 1 .. 10;
    $_->send(GET => $url) for @hasty;
    $_->close for @hasty;
}
is $c->request(GET => '/scim/Users?count=1')->{status}, 200, 'a list is served after 30 clients have disconnected at once';
wait_for_files('answers', 0, 'no temporary file is open after 30 clients have disconnected at once');

# --- a batch whose answers are long together though each fits into memory: other requests are served between them

my $heavy = $c->request(POST => '/scim/Users', json => Scim::user('heavy', x509Certificates => [{ value => 'QUJD' x 225_000 }]));
my $lock = $t->hold_lock;
my @writers = map $t->client(token => $token), 1 .. 16;
$writers[$_]->send(PATCH => "/scim/Users/" . id_of($heavy), json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'replace', path => 'title', value => "t$_" }] }) for 0 .. $#writers;
is $c->request(GET => '/scim/Users?count=1')->{status}, 200, 'a read is served while sixteen writes wait for the write lock';
$t->release($lock);
my @answers = map $_->receive, @writers;
is join(' ', map $_->{json}{title}, @answers), join(' ', map "t$_", 0 .. $#writers),
    'each of sixteen writes in a batch is answered with its change';
is scalar(grep length $_->{body} > 900_000, @answers), 16, 'each answer of the batch has more than 900 kB';

# --- the temporary file cannot be written

my $s = $t->client(token => $token);
rmdir "$t->{dir}/gone" or die "rmdir: $!";
(my $gone = $url) =~ s/scim/gone/;
my $cannot = qr/the response exceeds 1 MiB and its temporary file cannot be written/;
is_error $r = $s->request(GET => $gone), 503, '', qr/^$cannot/,
    'a long group without a directory for the file is refused with 503';
is $r->{json}{errorId}, 'response-not-kept', 'the refusal of a file that cannot be written is response-not-kept';
is $r->{headers}{'retry-after'}, 60, 'the 503 of a file that cannot be written has Retry-After';
ok !exists $r->{headers}{etag}, 'the 503 of a file that cannot be written has no ETag';
is_error $s->request(GET => '/gone/Users?count=1000'), 503, '', qr/^$cannot/,
    'a long list without a directory for the file is refused with 503';
$r = $s->request(PUT => "/gone/Groups/" . id_of({ body => $pair[0] }), json => { displayName => 'changed',
    members => [map +{ value => $_->{id} }, @users[0 .. 49]] });
is "$r->{status} $r->{body}", '204 ', 'a PUT whose long answer cannot be written is answered with 204 and no body';
ok exists $r->{headers}{etag}, 'a PUT whose long answer cannot be written has an ETag';
ok $t->wait_log(qr/\[error\].*the change is made, but it cannot be shown: $cannot/),
    'the error log says that the change is made and cannot be shown';
$r = $s->request(PUT => "/gone/Groups/" . id_of({ body => $pair[0] }), json => { displayName => 'changed',
    members => [map +{ value => $_->{id} }, @users[0 .. 49]] });
is_error $r, 503, '', qr/^$cannot/, 'the same PUT again changes nothing and is refused with 503';
is $r->{headers}{'retry-after'}, 60, 'the 503 of a PUT that changes nothing has Retry-After';
is $s->request(GET => '/scim/Groups?filter=displayName+eq+"changed"')->{json}{totalResults}, 1,
    'the PUT whose long answer could not be written is committed';
is $s->request(GET => "/gone/Users/$users[-1]{id}")->{status}, 200, 'a user below 1 MiB is returned without a file';
ok $t->wait_log(qr/\[crit\].*cannot write a long response to a file in ".*\/gone" \(2: No such file or directory\)/),
    'the error log says at level crit why the file cannot be written';
mkdir "$t->{dir}/gone", 0700 or die "mkdir: $!";
is $c->request(GET => $gone)->{status}, 200, 'a long group is served again after its directory is created';

$t->finish;
