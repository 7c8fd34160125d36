#!/usr/bin/perl
# A full store refuses writes that need space with a 503 that names size=, serves reads and deletes, and accepts writes again
# once there is space: after deletions, or in a larger map, which existing workers adopt.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $http = "scim_store main %%DIR%%/store size=4m;\nscim_store tiny %%DIR%%/tiny size=1m;";
# LMDB's own MDB_MAP_FULL would be another [crit]: the reserve makes the module refuse the write before it.
my $t = Scim->new(http => $http, expect_log => [qr/ is full: creates are refused, because almost all of its \d+ bytes are in use/], server => <<'EOS')->start->served('/main/Users')->served('/tiny/Users');
    location /main/ { scim main; }
    location /tiny/ { scim tiny; }
EOS

my (%token, $client, %left);

sub big { my ($name) = @_; return Scim::user($name, displayName => $name x (3000 / length $name)) }

# Creates users until one is refused: (the refusal, the ids of the others)
sub fill {
    my ($users, $name) = @_;
    my @ids;
    for (1 .. 3000) {
        my $r = $client->request(POST => $users, json => big("$name$_"));
        return ($r, @ids) if $r->{status} != 201;
        push @ids, $r->{json}{id};
    }
    return ({ status => 0 }, @ids);
}

sub is_full {
    my ($r, $name) = @_;
    ok $r->{status} == 503 && ($r->{headers}{'retry-after'} // 0) > 0 && ($r->{json}{errorId} // '') eq 'store-full' && ($r->{json}{detail} // '') =~ /\bsize= of scim_store/,
        "$name is refused with a 503 that names size=" or diag "$r->{status} ", $r->{body} // '', $r->{error} // '';
}

for my $store ('tiny', 'main') {
    $t->{store} = $store eq 'main' ? "$t->{dir}/store" : "$t->{dir}/tiny";
    $token{$store} = $t->token($t->tenant('acme'));
    $client = $t->client(token => $token{$store});
    my $users = "/$store/Users";

    my ($r, @ids) = fill($users, 'first');
    is_full $r, "$store: a POST after " . @ids . ' users';
    cmp_ok scalar @ids, '>', $store eq 'main' ? 300 : 20,
        "$store: many POSTs are answered with 201 before the store is full";
    is_full $client->request(POST => $users, json => Scim::user('small')), "$store: a small POST";
    like $t->log, qr{\[crit\] .*store "\Q$t->{store}\E" is full: creates are refused, .*; raise size= of scim_store and reload},
        "$store: the error log names the store and size=";
    is $client->request(GET => "$users?count=1")->{json}{totalResults}, @ids,
        "$store: a full store has every acknowledged user";
    is $client->request(GET => "$users/$_")->{status}, 200, "$store: a full store serves GET of a user" for @ids[0, -1];
    $r = $client->request(PUT => "$users/$ids[0]", json => { %{ big('first1') }, active => JSON::PP::false });
    is $r->{status}, 200, "$store: a full store accepts a PUT that sets active to false" or diag $r->{body};

    is_full $client->request(PUT => "$users/$ids[1]", json => { %{ big('first2') }, title => 'x' x 1000 }),
        "$store: a PUT that needs space";

    my $third = @ids / 3;
    my @gone = splice @ids, 0, $third;
    my %status;
    $status{ $client->request(DELETE => "$users/$_")->{status} }++ for @gone;
    is_deeply \%status, { 204 => scalar @gone }, "$store: a full store accepts DELETEs";
    ($r, my @more) = fill($users, 'second');
    is_full $r, "$store: a POST after the space of deleted users is used up";
    cmp_ok scalar @more, '>', $third / 2, "$store: POSTs reuse the space of deleted users (" . @more . ' for ' . @gone . ')';
    $left{$store} = @ids + @more;
}

# --- a larger map

my $users = '/main/Users';
is +($t->poke(qw(meta min_reader)))[1], "5\n", 'the format of the full store is unchanged';

# Two requests that the old worker has begun to read: it does not exit before they are answered.
my $token = $token{main};
my ($reader, $writer) = map $t->client(token => $token), 1 .. 2;
my ($old) = $t->workers;
my $body = $Scim::json->encode(Scim::user('late'));
$reader->connect;
$reader->write("GET $users?count=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n");
my ($head) = $writer->_render(POST => $users, body => $body, expect => 1);
$writer->connect;
$writer->write($head);
push @{ $writer->{pending} }, 'EXPECT', 'POST';
is $writer->receive->{status}, 100, 'the old worker has begun to read a POST';

$t->conf(undef, http => $http =~ s/size=4m/size=16m/r);
$t->reload;
$client->close;
my $added = 0;
for (1 .. 1000) {    # 4 MiB hold about 700
    my $r = $client->request(POST => $users, json => big("third$_"));
    $added++ if $r->{status} == 201;
}
is $added, 1000, '1000 POSTs are answered with 201 after a reload with a larger size=';
ok -s "$t->{dir}/store/data.mdb" > 4 << 20, 'data.mdb is larger than the old map';

ok !$t->_gone($old), 'the old worker has not exited';
$reader->write("\r\n");
push @{ $reader->{pending} }, 'GET';
my $r = $reader->receive;
is "$r->{status} " . ($r->{json}{totalResults} // ''), '200 ' . ($left{main} + $added),
    'the old worker reads a store that is larger than its map';
$writer->write($body);
$r = $writer->receive;
is $r->{status}, 201, 'the old worker writes to a store that is larger than its map' or diag $r->{body};
is $client->request(GET => "$users/$r->{json}{id}")->{json}{userName}, 'late',
    'the new worker reads what the old one has written';
$_->close for $reader, $writer;
ok $t->wait_for(sub { $t->_gone($old) }), 'the old worker exits after its requests';

$t->finish;
